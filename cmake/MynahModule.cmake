# One static library per folder, with its own include root.
#
#   mynah_module(NAME cpu SOURCES insn.cpp fpu/f80.cpp DEPENDS base mmu
#                PUBLIC_LIBS mynah::fmt PRIVATE_LIBS mynah::json)
#
# makes mynah_cpu from cpu/. Its headers are included as "cpu/insn.h" through the root
# build/<preset>/roots/cpu/ (which holds one link, cpu -> <source>/cpu). Only the modules named in DEPENDS
# (and theirs) add their roots, so an include against the one-way order of docs/design.md does not
# compile: there is no directory on the search path in which it could be found.

function(mynah_module)
    cmake_parse_arguments(M "" "NAME" "SOURCES;DEPENDS;PUBLIC_LIBS;PRIVATE_LIBS" ${ARGN})
    set(target mynah_${M_NAME})
    set(root ${CMAKE_BINARY_DIR}/roots/${M_NAME})
    file(MAKE_DIRECTORY ${root})
    file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${M_NAME} ${root}/${M_NAME} SYMBOLIC)

    if(NOT M_SOURCES)
        # A library needs one object: a module that is all headers gets an empty one from the build directory.
        set(empty ${CMAKE_BINARY_DIR}/empty/${M_NAME}.cpp)
        if(NOT EXISTS ${empty})
            file(WRITE ${empty} "// ${M_NAME} has no sources yet.\n")
        endif()
        set(M_SOURCES ${empty})
    endif()

    add_library(${target} STATIC ${M_SOURCES})
    target_include_directories(${target} PUBLIC ${root})
    target_link_libraries(${target} PRIVATE mynah_options ${M_PRIVATE_LIBS} PUBLIC ${M_PUBLIC_LIBS})
    foreach(dep IN LISTS M_DEPENDS)
        target_link_libraries(${target} PUBLIC mynah_${dep})
    endforeach()
endfunction()
