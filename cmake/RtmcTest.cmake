# rtmc_add_test(NAME sources... LINK libs... [LABELS ...]): one doctest program, one ctest entry per program.
function(rtmc_add_test name)
  cmake_parse_arguments(arg "" "" "LINK;LABELS" ${ARGN})
  add_executable(test_${name} ${arg_UNPARSED_ARGUMENTS} ${PROJECT_SOURCE_DIR}/tests/doctest_main.cpp)
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(test_${name} PRIVATE RTMC_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                                  RTMC_BINARY_DIR="${PROJECT_BINARY_DIR}")
  target_link_libraries(test_${name} PRIVATE ${arg_LINK} doctest::doctest)
  rtmc_target(test_${name})
  add_test(NAME ${name} COMMAND test_${name})
  if(arg_LABELS)
    set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}")
  endif()
endfunction()
