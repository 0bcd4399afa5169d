# Flags of every target in this tree. The rounding contract rests on the first one: a product and a sum are fused only
# where the source says fma.
add_library(ropeline_flags INTERFACE)
target_compile_options(ropeline_flags INTERFACE -ffp-contract=off -Wall -Wextra -Wpedantic -Werror=return-type)
# Inside a project that names no build type CMake adds no -O at all, which costs a factor of fifty.
target_compile_options(ropeline_flags INTERFACE $<$<STREQUAL:$<CONFIG>,>:-O3>)
if(ROPELINE_SANITIZE STREQUAL "address")
  # GCC 12 takes moves of instrumented variants for reads of uninitialised memory.
  target_compile_options(ropeline_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
    -Wno-maybe-uninitialized)
  target_link_options(ropeline_flags INTERFACE -fsanitize=address,undefined)
elseif(ROPELINE_SANITIZE STREQUAL "thread")
  target_compile_options(ropeline_flags INTERFACE -fsanitize=thread -fno-omit-frame-pointer -Wno-maybe-uninitialized)
  target_link_options(ropeline_flags INTERFACE -fsanitize=thread)
endif()

# JSON, command lines and the JIT's files are read once, tests are short, and such code compiles up to twice as fast so: a
# cold build stays short. No arithmetic of the contract is in such code, and no bit would change if it were.
set(ROPELINE_COLD_CODE $<$<CONFIG:Release>:-O1>)
