# Compiler cache, warnings and sanitizers, in one interface target that every module and test links.

find_program(MYNAH_CCACHE ccache)
if(MYNAH_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(launcher ${MYNAH_CCACHE})
    # Relative paths, so that a fresh clone finds what another one compiled.
    cmake_path(IS_PREFIX CMAKE_SOURCE_DIR ${CMAKE_BINARY_DIR} in_tree)
    if(in_tree)
        set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${MYNAH_CCACHE})
    endif()
    set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

# Sanitizer and fuzzer instrumentation goes to everything, GoogleTest included.
if(MYNAH_SANITIZE)
    add_compile_options(-fsanitize=${MYNAH_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${MYNAH_SANITIZE})
endif()
if(MYNAH_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()

add_library(mynah_options INTERFACE)
target_compile_options(mynah_options INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
    $<$<BOOL:${MYNAH_WERROR}>:-Werror>)
