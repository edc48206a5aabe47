# Sets EXAMPLE_PYTHON to a python3 with numpy: the scripts that make weights need one. The first on PATH may have none.
foreach(candidate ${EXAMPLE_PYTHON} python3 /usr/bin/python3)
  execute_process(COMMAND ${candidate} -c "import numpy" RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
  if(status EQUAL 0)
    set(EXAMPLE_PYTHON ${candidate} CACHE STRING "python3 with numpy" FORCE)
    return()
  endif()
endforeach()
message(FATAL_ERROR "no python3 with numpy was found (Debian: apt install python3-numpy); EXAMPLE_PYTHON names one")
