# SPDX-License-Identifier: Apache-2.0
# Debian packages, all of them; scripts/ and tests/run.sh install what is missing.
find_package(PkgConfig QUIET)
find_package(fmt REQUIRED)
find_package(simdjson REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tl-expected REQUIRED)
find_package(absl REQUIRED)
find_package(ZLIB REQUIRED)
find_package(zstd REQUIRED)
find_package(RocksDB REQUIRED)
find_path(XXHASH_INCLUDE_DIR xxhash.h REQUIRED)
find_path(DATE_INCLUDE_DIR date/tz.h REQUIRED)
find_library(DATE_TZ_LIBRARY date-tz REQUIRED)
