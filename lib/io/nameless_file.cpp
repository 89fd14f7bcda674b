// SPDX-License-Identifier: Apache-2.0
#include "io/nameless_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace stream {

Result<OwnedFd> open_nameless(const std::string& folder) {
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return system_failure("make folder", folder, errno);
    OwnedFd fd = open_fd(folder, O_TMPFILE | O_RDWR, 0600);
    if (!fd.is_open()) {  // not every file system has O_TMPFILE
        std::string name = folder + "/streamutils-spill.XXXXXX";
        fd = OwnedFd(::mkostemp(name.data(), O_CLOEXEC));
        if (!fd.is_open()) return system_failure("make", name, errno);
        ::unlink(name.c_str());
    }
    return fd;
}

}  // namespace stream
