# cmake -DWAY=find_package|add_subdirectory -DSOURCE= -DBUILD= ... -P consume.cmake
set(work ${BUILD}-consumer-${WAY})  # beside the build: as deep as it, so that ccache knows the objects
file(REMOVE_RECURSE ${work})

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(code)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\nexited with ${code}:\n${text}")
  endif()
  set(text "${text}" PARENT_SCOPE)
endfunction()

if(WAY STREQUAL "find_package")
  run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${work}/prefix)
  run(${work}/prefix/bin/ropeline --version)  # finds the library beside it
endif()
run(${CMAKE_COMMAND} -S ${SOURCE}/tests/consumer/${WAY} -B ${work} -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${COMPILER}
  -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER} -DCMAKE_BUILD_TYPE=${TYPE} -DCMAKE_PREFIX_PATH=${work}/prefix
  -DBUILD_SHARED_LIBS=${SHARED} -DROPELINE_SOURCE=${SOURCE})
run(${CMAKE_COMMAND} --build ${work})
run(${work}/consumer)
if(NOT text STREQUAL "0.9995 -0.9995\n")
  message(FATAL_ERROR "the consumer printed ${text}")
endif()
