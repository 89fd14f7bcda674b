# SPDX-License-Identifier: Apache-2.0
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

find_program(CCACHE ccache)
if(CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# Hardened as a distribution would: these read what strangers wrote.
add_compile_options(-fstack-protector-strong -fno-plt -ffunction-sections)
add_link_options(-Wl,-z,relro,-z,now -pie -Wl,--gc-sections -Wl,--as-needed)

option(STREAM_ASSERTIONS "Checked standard library" OFF)
if(STREAM_ASSERTIONS)
    add_compile_definitions(_GLIBCXX_ASSERTIONS)
endif()
option(STREAM_COVERAGE "gcov instrumentation" OFF)
if(STREAM_COVERAGE)
    add_compile_options(--coverage)
    add_link_options(--coverage)
endif()
