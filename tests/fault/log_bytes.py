# SPDX-License-Identifier: Apache-2.0
"""The bytes of a log's files: what they are, and what is in them, compressed or not."""

import ctypes
import ctypes.util
import hashlib
import os


def files_under(*folders):
    for folder in folders:
        for path, _, names in os.walk(folder):
            for name in sorted(names):
                yield os.path.join(path, name)


def digest(*folders):
    """Names, lengths and bytes of everything in the folders."""
    sums = hashlib.blake2b()
    for path in sorted(files_under(*folders)):
        sums.update(path.encode() + b"\0")
        with open(path, "rb") as file:
            sums.update(hashlib.blake2b(file.read()).digest())
    return sums.hexdigest()


class Zstd:
    """Enough of libzstd to take out whatever a file holds, of frames that were cut short too."""
    MAGIC = b"\x28\xb5\x2f\xfd"

    class Buffer(ctypes.Structure):
        _fields_ = [("bytes", ctypes.c_void_p), ("size", ctypes.c_size_t), ("pos", ctypes.c_size_t)]

    def __init__(self):
        self.library = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
        for name, result, types in (("ZSTD_createDStream", ctypes.c_void_p, []), ("ZSTD_initDStream", ctypes.c_size_t, [ctypes.c_void_p]),
                                    ("ZSTD_freeDStream", ctypes.c_size_t, [ctypes.c_void_p]), ("ZSTD_isError", ctypes.c_uint, [ctypes.c_size_t]),
                                    ("ZSTD_decompressStream", ctypes.c_size_t,
                                     [ctypes.c_void_p, ctypes.POINTER(self.Buffer), ctypes.POINTER(self.Buffer)])):
            function = getattr(self.library, name)
            function.restype, function.argtypes = result, types
        self.room = ctypes.create_string_buffer(1 << 20)

    def decompress(self, data):
        """What the frame at the beginning of the data holds, up to where it breaks off or is wrong."""
        stream = self.library.ZSTD_createDStream()
        self.library.ZSTD_initDStream(stream)
        source = ctypes.create_string_buffer(data, len(data))
        given = self.Buffer(ctypes.addressof(source), len(data), 0)
        result = []
        while True:
            taken = self.Buffer(ctypes.addressof(self.room), len(self.room), 0)
            before = given.pos
            code = self.library.ZSTD_decompressStream(stream, ctypes.byref(taken), ctypes.byref(given))
            result.append(self.room.raw[:taken.pos])
            if self.library.ZSTD_isError(code) or code == 0 or (taken.pos == 0 and given.pos == before):
                break
            if given.pos == given.size and taken.pos < taken.size:
                break
        self.library.ZSTD_freeDStream(stream)
        return b"".join(result)

    def contents(self, data):
        at = data.find(self.MAGIC)
        while at >= 0:
            yield self.decompress(data[at:])
            at = data.find(self.MAGIC, at + 1)


def holds(markers, *folders):
    """Files in which any of the markers is, as bytes or within a Zstandard frame that begins anywhere in them."""
    markers = [markers] if isinstance(markers, bytes) else list(markers)
    zstd = Zstd()
    found = []
    for path in files_under(*folders) if markers else ():
        with open(path, "rb") as file:
            data = file.read()
        if any(marker in data or marker in os.path.basename(path).encode() for marker in markers):
            found.append(path)
        elif any(marker in content for content in zstd.contents(data) for marker in markers):
            found.append(path + " (compressed)")
    return found
