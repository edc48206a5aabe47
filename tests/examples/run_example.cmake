# Configures, builds and runs one example from nothing; then builds again, which must do nothing.
# SOURCE, BUILD, PREFIX, PROGRAM, OPTIONS, GENERATOR, C_COMPILER, CXX_COMPILER.
file(REMOVE_RECURSE ${BUILD})
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  message("${output}")
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}: ${status}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run(${CMAKE_COMMAND} -S ${SOURCE} -B ${BUILD} -G ${GENERATOR} -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH=${PREFIX}
  -DCMAKE_C_COMPILER=${C_COMPILER} -DCMAKE_CXX_COMPILER=${CXX_COMPILER} ${OPTIONS})
if(output MATCHES "SKIPPED: ")
  return()
endif()
run(${CMAKE_COMMAND} --build ${BUILD})
run(${BUILD}/${PROGRAM})
run(${CMAKE_COMMAND} --build ${BUILD})
if(GENERATOR STREQUAL "Ninja" AND NOT output MATCHES "no work to do")
  message(FATAL_ERROR "a second build did work again")
endif()
