# Compile options that every target of the project shares; rtmc_target(NAME) applies them.
find_program(RTMC_CCACHE ccache)
if(RTMC_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${RTMC_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${RTMC_CCACHE})
endif()

function(rtmc_target name)
  target_compile_options(${name} PRIVATE -Wall -Wextra -Wshadow -Wno-unused-parameter)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${name} PRIVATE -Wno-restrict)  # false alarms on std::string's operator+ (GCC bug 105651)
  endif()
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    target_compile_options(${name} PRIVATE -Wno-deprecated-declarations)  # libstdc++ 12's own std::stable_sort
  endif()
  if(RTMC_WARNINGS_AS_ERRORS)
    target_compile_options(${name} PRIVATE -Werror)
  endif()
endfunction()

# rtmc_compiler_library(NAME sources... LINK libs...): one folder of compiler/, linked as rtmc_NAME.
function(rtmc_compiler_library name)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  add_library(rtmc_${name} STATIC ${arg_UNPARSED_ARGUMENTS})
  target_include_directories(rtmc_${name} PUBLIC ${PROJECT_SOURCE_DIR}/compiler)
  target_link_libraries(rtmc_${name} PUBLIC ${arg_LINK})
  rtmc_target(rtmc_${name})
endfunction()
