# SPDX-License-Identifier: Apache-2.0
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
                    -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough)
option(STREAM_WERROR "Warnings are errors" OFF)
if(STREAM_WERROR)
    # Two that g++ 12 raises wrongly, the more so under sanitizers: seen, but no error.
    add_compile_options(-Werror -Wno-error=maybe-uninitialized -Wno-error=restrict)
endif()
