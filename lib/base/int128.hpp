// SPDX-License-Identifier: Apache-2.0
// The compiler's 128-bit integers, named in one place because ISO C++ does not have them.
#pragma once

namespace stream {

__extension__ using Int128 = __int128;
__extension__ using UInt128 = unsigned __int128;

}  // namespace stream
