# rtmc_embed(OUTPUT ROOT files...): makes a C++ include file with one {"name", R"(text)"} per file, for a table that the
# including source declares. Names are paths below ROOT without ".in". Made at build time, whenever a file changes, by the
# target rtmc_<name of OUTPUT>, on which the including target has to depend.
if(CMAKE_SCRIPT_MODE_FILE)
  cmake_policy(VERSION 3.25)
  set(text "// Made by RtmcEmbed.cmake from ${ROOT_NAME}.\n")
  string(REPLACE "|" ";" FILES "${FILES}")
  foreach(file ${FILES})
    file(RELATIVE_PATH name "${ROOT}" "${file}")
    string(REGEX REPLACE "\\.in$" "" name "${name}")
    file(READ "${file}" content)
    string(APPEND text "{\"${name}\", R\"rtmc(${content})rtmc\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT "@text@" @ONLY)
  return()
endif()

set(RTMC_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})

function(rtmc_embed output root)
  list(JOIN ARGN "|" files)
  get_filename_component(root_name ${root} NAME)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DROOT=${root} -DROOT_NAME=${root_name} "-DFILES=${files}"
            -P ${RTMC_EMBED_SCRIPT}
    DEPENDS ${ARGN} ${RTMC_EMBED_SCRIPT}
    COMMENT "Embedding ${root_name}"
    VERBATIM)
  # A target that depends on nothing else: ninja would build all that the library links before it makes the file, and
  # scripts/tidy.sh needs nothing but the file.
  get_filename_component(name ${output} NAME_WE)
  add_custom_target(rtmc_${name} DEPENDS ${output})
endfunction()
