# SPDX-License-Identifier: Apache-2.0
file(GLOB man_pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/man/*.[157])
foreach(page ${man_pages})
    string(REGEX MATCH "[157]$" section ${page})
    install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
