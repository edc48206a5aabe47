# What is installed: rtmc and rtmc-runner, the runtime as a library and as source (for foreign targets), the package.
include(RtmcAddModel)
option(RTMC_INSTALL "Install rtmc with its package" ${PROJECT_IS_TOP_LEVEL})
if(NOT RTMC_INSTALL)
  return()
endif()
include(CMakePackageConfigHelpers)

set(RTMC_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/rtmc)
set(RTMC_RUNTIME_SOURCE_DIR ${CMAKE_INSTALL_DATADIR}/rtmc/runtime)

# Two sets: the runtime is not used from here when a consumer builds it from source.
install(TARGETS rtm EXPORT rtmTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT rtmTargets NAMESPACE rtm:: DESTINATION ${RTMC_PACKAGE_DIR})
install(TARGETS rtmc-runner EXPORT rtmcTargets RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET rtmc)
  # LLVM may lie outside the linker's folders.
  set_target_properties(rtmc PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
  install(TARGETS rtmc EXPORT rtmcTargets RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(EXPORT rtmcTargets NAMESPACE rtmc:: DESTINATION ${RTMC_PACKAGE_DIR})

install(DIRECTORY ${PROJECT_SOURCE_DIR}/runtime/include/rtm DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/runtime/ DESTINATION ${RTMC_RUNTIME_SOURCE_DIR})

configure_package_config_file(
  ${CMAKE_CURRENT_LIST_DIR}/rtmcConfig.cmake.in ${PROJECT_BINARY_DIR}/package/rtmcConfig.cmake
  INSTALL_DESTINATION ${RTMC_PACKAGE_DIR} PATH_VARS RTMC_RUNTIME_SOURCE_DIR)
# Any architecture: rtmc runs on the host and serves others.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/rtmcConfigVersion.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES
  ${PROJECT_BINARY_DIR}/package/rtmcConfig.cmake
  ${PROJECT_BINARY_DIR}/package/rtmcConfigVersion.cmake
  ${CMAKE_CURRENT_LIST_DIR}/RtmcAddModel.cmake
  DESTINATION ${RTMC_PACKAGE_DIR})
install(DIRECTORY ${CMAKE_CURRENT_LIST_DIR}/toolchains DESTINATION ${RTMC_PACKAGE_DIR})
