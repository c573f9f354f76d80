# Third-party libraries, all Debian packages (scripts/install-deps), as targets that also work when
# cross compiling. A missing one only matters to the module that asks for it: use
# `if(TARGET mynah::png)` where it is optional.

find_package(PkgConfig)
find_package(Threads REQUIRED)

# Architecture-independent headers of the build machine, reachable without putting all of /usr/include
# into a cross compiler's search path: build/<preset>/roots/third_party/<folder> -> /usr/include/<folder>.
set(MYNAH_THIRD_PARTY_ROOT ${CMAKE_BINARY_DIR}/roots/third_party)
file(MAKE_DIRECTORY ${MYNAH_THIRD_PARTY_ROOT})

function(mynah_header_library target folder)
    if(EXISTS /usr/include/${folder})
        file(CREATE_LINK /usr/include/${folder} ${MYNAH_THIRD_PARTY_ROOT}/${folder} SYMBOLIC)
        string(REPLACE "::" "_" real ${target})
        add_library(${real} INTERFACE)
        target_include_directories(${real} SYSTEM INTERFACE ${MYNAH_THIRD_PARTY_ROOT})
        add_library(${target} ALIAS ${real})
    else()
        message(STATUS "${target}: /usr/include/${folder} not found (scripts/install-deps installs it)")
    endif()
endfunction()

mynah_header_library(mynah::json nlohmann)
mynah_header_library(mynah::cli CLI)
mynah_header_library(mynah::simde simde)
mynah_header_library(mynah::toml toml++)

# fmt: the library natively (compiles faster), header-only when cross compiling.
if(CMAKE_CROSSCOMPILING)
    mynah_header_library(mynah::fmt fmt)
    if(TARGET mynah_fmt)
        target_compile_definitions(mynah_fmt INTERFACE FMT_HEADER_ONLY=1)
    endif()
else()
    find_package(fmt REQUIRED)
    add_library(mynah::fmt ALIAS fmt::fmt)
endif()

# Libraries with object code: name, pkg-config module.
function(mynah_pkg_library target module)
    if(PKG_CONFIG_FOUND)
        string(REPLACE "::" "_" var ${target})
        pkg_check_modules(${var} QUIET IMPORTED_TARGET GLOBAL ${module})
        if(${var}_FOUND)
            add_library(${target} ALIAS PkgConfig::${var})
            return()
        endif()
    endif()
    message(STATUS "${target}: ${module} not found; what needs it is left out")
endfunction()

mynah_pkg_library(mynah::png libpng)
mynah_pkg_library(mynah::zstd libzstd)
mynah_pkg_library(mynah::slirp slirp)
mynah_pkg_library(mynah::zlib zlib)
# Windows and sound.
mynah_pkg_library(mynah::sdl2 sdl2)
mynah_pkg_library(mynah::imgui imgui)

# Oracles of the tests.
find_library(MYNAH_ZYDIS Zydis)
if(MYNAH_ZYDIS)
    add_library(mynah_zydis INTERFACE)
    target_link_libraries(mynah_zydis INTERFACE ${MYNAH_ZYDIS})
    add_library(mynah::zydis ALIAS mynah_zydis)
endif()
find_library(MYNAH_MPFR mpfr)
if(MYNAH_MPFR)
    add_library(mynah_mpfr INTERFACE)
    target_link_libraries(mynah_mpfr INTERFACE ${MYNAH_MPFR} gmp)
    add_library(mynah::mpfr ALIAS mynah_mpfr)
endif()
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    mynah_header_library(mynah::xbyak xbyak)
endif()

# What bench/micro is made with; asmjit is only there to be compared with.
if(NOT CMAKE_CROSSCOMPILING)
    find_package(benchmark QUIET)
    if(benchmark_FOUND)
        add_library(mynah::benchmark ALIAS benchmark::benchmark_main)
    endif()
    find_library(MYNAH_ASMJIT asmjit)
    if(MYNAH_ASMJIT)
        add_library(mynah_asmjit INTERFACE)
        target_link_libraries(mynah_asmjit INTERFACE ${MYNAH_ASMJIT} rt)
        add_library(mynah::asmjit ALIAS mynah_asmjit)
    endif()
endif()
