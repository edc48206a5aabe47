# rtmc_add_model(NAME MODEL model.yaml
#                [BACKEND cpp] [PRECISION f32|f16|bf16] [THREADS n] [TARGET triple] [CPU name]
#                [TUNING file] [SCHEDULE file] [MACHINE file] [UNROLL auto|none|tile|full] [WEIGHTS inline|blob]
#                [OPTIONS more options of rtmc ...])
# A static library NAME with the header NAME.h on its include path; link it and include that. rtmc runs again exactly when
# the model, its weights, a file named above, or rtmc itself changes. When cross-compiling rtmc runs on the host.
# RTMC_EXECUTABLE (path) names another rtmc than the package's.

# What this build's compiler makes code for, as --target; "" on the host.
function(_rtmc_target_triple result)
  set(${result} "" PARENT_SCOPE)
  if(NOT CMAKE_CROSSCOMPILING)
    return()
  endif()
  if(CMAKE_CXX_COMPILER_TARGET)
    set(${result} ${CMAKE_CXX_COMPILER_TARGET} PARENT_SCOPE)
    return()
  endif()
  string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" processor)
  if(processor STREQUAL "arm64")
    set(processor aarch64)
  elseif(processor STREQUAL "amd64")
    set(processor x86_64)
  endif()
  if(processor STREQUAL "")
    message(FATAL_ERROR "rtmc_add_model: CMAKE_SYSTEM_PROCESSOR is empty; TARGET names the triple")
  elseif(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(${result} ${processor}-linux-gnu PARENT_SCOPE)
  elseif(CMAKE_SYSTEM_NAME STREQUAL "Android")
    set(${result} ${processor}-linux-android PARENT_SCOPE)
  else()
    set(${result} ${processor}-unknown-unknown PARENT_SCOPE)
  endif()
endfunction()

# The command and what to depend on: RTMC_EXECUTABLE, the package's program, or the one of this build.
function(_rtmc_command command depends)
  if(RTMC_EXECUTABLE)
    set(${command} ${RTMC_EXECUTABLE} PARENT_SCOPE)
    set(${depends} ${RTMC_EXECUTABLE} PARENT_SCOPE)
  elseif(TARGET rtmc AND NOT CMAKE_CROSSCOMPILING)
    set(${command} $<TARGET_FILE:rtmc> PARENT_SCOPE)
    set(${depends} rtmc $<TARGET_FILE:rtmc> PARENT_SCOPE)
  elseif(TARGET rtmc::rtmc)
    set(${command} $<TARGET_FILE:rtmc::rtmc> PARENT_SCOPE)
    set(${depends} $<TARGET_FILE:rtmc::rtmc> PARENT_SCOPE)
  else()
    message(FATAL_ERROR "rtmc_add_model: no rtmc that runs on this host; RTMC_EXECUTABLE names one")
  endif()
endfunction()

function(rtmc_add_model name)
  set(files TUNING SCHEDULE MACHINE)
  set(values BACKEND PRECISION THREADS TARGET CPU UNROLL WEIGHTS)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "MODEL;${files};${values}" "OPTIONS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "rtmc_add_model(${name}): unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(arg_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "rtmc_add_model(${name}): without a value: ${arg_KEYWORDS_MISSING_VALUES}")
  endif()
  if(NOT arg_MODEL)
    message(FATAL_ERROR "rtmc_add_model(${name}): MODEL is missing")
  endif()
  if(NOT arg_TARGET)
    _rtmc_target_triple(arg_TARGET)
  endif()
  _rtmc_command(rtmc rtmc_depends)

  get_filename_component(model "${arg_MODEL}" ABSOLUTE)
  set(inputs "${model}")
  set(options "")
  foreach(key IN LISTS values)
    if(NOT "${arg_${key}}" STREQUAL "")
      string(TOLOWER ${key} option)
      list(APPEND options "--${option}" "${arg_${key}}")
    endif()
  endforeach()
  foreach(key IN LISTS files)
    if(NOT "${arg_${key}}" STREQUAL "")
      string(TOLOWER ${key} option)
      get_filename_component(path "${arg_${key}}" ABSOLUTE)
      list(APPEND options "--${option}" "${path}")
      list(APPEND inputs "${path}")
    endif()
  endforeach()

  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${name}_rtmc")
  file(MAKE_DIRECTORY "${folder}")
  set(outputs "${folder}/${name}.cpp" "${folder}/${name}.h")
  if(arg_WEIGHTS STREQUAL "blob")
    list(APPEND outputs "${folder}/${name}.weights")
  endif()
  # Weights are known to the model only: the depfile names them.
  add_custom_command(
    OUTPUT ${outputs}
    COMMAND ${rtmc} "${model}" -o "${folder}/${name}.cpp" -MD "${folder}/${name}.d" ${options} ${arg_OPTIONS}
    DEPENDS ${inputs} ${rtmc_depends}
    DEPFILE "${folder}/${name}.d"
    COMMENT "rtmc: compiling ${arg_MODEL}"
    VERBATIM)

  add_library(${name} STATIC ${outputs})
  if(arg_WEIGHTS STREQUAL "blob")
    set_source_files_properties("${folder}/${name}.cpp" PROPERTIES OBJECT_DEPENDS "${folder}/${name}.weights")
    target_compile_options(${name} PRIVATE "-Wa,-I${folder}")  # the assembler includes the blob
  endif()
  target_include_directories(${name} PUBLIC "$<BUILD_INTERFACE:${folder}>")
  target_link_libraries(${name} PUBLIC rtm::rtm)
  target_compile_features(${name} PRIVATE cxx_std_20)
  # Kernels without optimisation help nobody, so Debug gets it too; bits are promised only without contraction.
  target_compile_options(${name} PRIVATE -O2 -ffp-contract=off)
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
endfunction()
