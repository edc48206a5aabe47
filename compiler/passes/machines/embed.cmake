# rtmc_embed_machines(OUTPUT file...): one C++ include file with {"name", "text"} for each description, made at configure
# time and again when one changes.
function(rtmc_embed_machines output)
  set(text "// Made by embed.cmake from the YAML files beside it.\n")
  foreach(file ${ARGN})
    get_filename_component(name ${file} NAME_WE)
    file(READ ${file} yaml)
    string(APPEND text "{\"${name}\", R\"yaml(${yaml})yaml\"},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  endforeach()
  file(CONFIGURE OUTPUT ${output} CONTENT "${text}" @ONLY)
endfunction()
