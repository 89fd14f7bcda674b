# SPDX-License-Identifier: Apache-2.0
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
                    -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough)
option(STREAM_WERROR "Warnings are errors" OFF)
if(STREAM_WERROR)
    add_compile_options(-Werror)
endif()
