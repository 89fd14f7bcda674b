# SPDX-License-Identifier: Apache-2.0
set(STREAM_SANITIZE "" CACHE STRING "Sanitizers, e.g. address,undefined or thread")
if(STREAM_SANITIZE)
    add_compile_options(-fsanitize=${STREAM_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${STREAM_SANITIZE})
endif()
