# GoogleTest is built from Debian's source package (libgtest-dev, /usr/src/googletest): the same way for
# every preset, so that it is instrumented with them and exists for the arm64 cross build.

set(MYNAH_GTEST_SOURCE /usr/src/googletest CACHE PATH "GoogleTest's source tree")
set(MYNAH_HAVE_TESTS OFF)
if(EXISTS ${MYNAH_GTEST_SOURCE}/CMakeLists.txt)
    set(MYNAH_HAVE_TESTS ON)
    set(INSTALL_GTEST OFF CACHE BOOL "" FORCE)
    set(BUILD_GMOCK ON CACHE BOOL "" FORCE)
    add_subdirectory(${MYNAH_GTEST_SOURCE} ${CMAKE_BINARY_DIR}/googletest EXCLUDE_FROM_ALL)
    include(GoogleTest)
else()
    message(STATUS "tests: ${MYNAH_GTEST_SOURCE} not found, C++ tests are left out (scripts/install-deps --test)")
endif()

# mynah_add_test(<name> SOURCES a.cpp b.cpp LIBS mynah_cpu mynah::zydis [LABELS unit] [TIMEOUT 300]
#                [DEFINITIONS A="b"] [ENGINES])
# ENGINES: <name>.jit runs all of it again with MYNAH_ENGINE=jit.
# One GoogleTest executable; each of its tests is a ctest test named <name>.Suite.Test. Listed when ctest
# runs, so that a cross-built one is listed through the emulator. What is only for the nightly gets an
# executable of its own with LABELS long (or daily: whole guests). One label a test.
function(mynah_add_test name)
    cmake_parse_arguments(T "ENGINES" "TIMEOUT" "SOURCES;LIBS;LABELS;DEFINITIONS" ${ARGN})
    if(NOT MYNAH_HAVE_TESTS)
        return()
    endif()
    if(NOT T_LABELS)
        set(T_LABELS unit)
    endif()
    if(NOT T_TIMEOUT)
        set(T_TIMEOUT 600)
    endif()
    add_executable(${name} ${T_SOURCES})
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
    target_compile_definitions(${name} PRIVATE ${T_DEFINITIONS})
    target_link_libraries(${name} PRIVATE mynah_options ${T_LIBS} gmock gtest gtest_main)
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60
        WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
        PROPERTIES LABELS "${T_LABELS}" TIMEOUT ${T_TIMEOUT})
    if(T_ENGINES)
        add_test(NAME ${name}.jit COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
        set_tests_properties(${name}.jit PROPERTIES
            LABELS "${T_LABELS}" TIMEOUT ${T_TIMEOUT} ENVIRONMENT MYNAH_ENGINE=jit)
    endif()
endfunction()

# mynah_add_fuzzer(<name> SOURCES a.cpp LIBS mynah_cpu)
# A libFuzzer executable build/fuzz/fuzzers/<name>; exists in the fuzz preset only.
function(mynah_add_fuzzer name)
    cmake_parse_arguments(T "" "" "SOURCES;LIBS" ${ARGN})
    if(NOT MYNAH_FUZZ)
        return()
    endif()
    add_executable(${name} ${T_SOURCES})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzzers)
    target_link_libraries(${name} PRIVATE mynah_options ${T_LIBS})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    set_property(GLOBAL APPEND PROPERTY MYNAH_FUZZERS ${name})
endfunction()
