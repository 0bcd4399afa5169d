include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS ropeline EXPORT ropeline FILE_SET HEADERS)
install(EXPORT ropeline NAMESPACE ropeline:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ropeline FILE ropeline-targets.cmake)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/ropeline-config.cmake.in ${CMAKE_BINARY_DIR}/ropeline-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ropeline)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/ropeline-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/ropeline-config.cmake ${CMAKE_BINARY_DIR}/ropeline-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ropeline)
