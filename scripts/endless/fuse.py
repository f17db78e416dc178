#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""A file system that shows a folder, for reading only, and can be made to answer no more: stop its process (SIGSTOP).

    fuse.py FOLDER MOUNTPOINT

Speaks the kernel's protocol of /dev/fuse (linux/fuse.h, 7.31) and needs root to mount. Prints "ready" once it is mounted.
"""
import ctypes
import errno
import os
import stat
import struct
import sys

LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, RELEASE, GETXATTR, FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, ACCESS = (
    1, 2, 3, 14, 15, 17, 18, 22, 25, 26, 27, 28, 29, 34)
BATCH_FORGET, INTERRUPT = 42, 36
HEAD = struct.Struct("=IIQQIIII")
#: Nothing is remembered by the kernel, so that every look asks this process.
VALID = struct.pack("=QQII", 0, 0, 0, 0)


class Folder:
    def __init__(self, root):
        self.paths, self.numbers, self.files = {1: root}, {root: 1}, {}

    def number(self, path):
        if path not in self.numbers:
            self.numbers[path] = len(self.numbers) + 1
            self.paths[self.numbers[path]] = path
        return self.numbers[path]

    def attributes(self, path):
        s = os.lstat(path)
        times = [s.st_atime_ns, s.st_mtime_ns, s.st_ctime_ns]
        whole, part = [t // 10**9 for t in times], [t % 10**9 for t in times]
        return struct.pack("=QQQQQQIIIIIIIIII", self.number(path), s.st_size, s.st_blocks, *whole, *part, s.st_mode,
                           s.st_nlink, s.st_uid, s.st_gid, 0, 4096, 0)

    def answer(self, op, node, body):
        path = self.paths.get(node)
        if op == INIT:
            return struct.pack("=IIIIHHIIHHIIHHIIIII", 7, 31, 65536, 0, 12, 9, 65536, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)[:64]
        if op == LOOKUP:
            child = os.path.join(path, os.fsdecode(body.rstrip(b"\0")))
            return struct.pack("=QQ", self.number(child), 0) + VALID + self.attributes(child)
        if op == GETATTR:
            return struct.pack("=QII", 0, 0, 0) + self.attributes(path)
        if op in (OPEN, OPENDIR):
            handle = 0
            if op == OPEN:
                handle = os.open(path, os.O_RDONLY)
                self.files[handle] = True
            return struct.pack("=QII", handle, 1, 0)  # direct: nothing is kept in the kernel's cache
        if op == READ:
            handle, offset, size = struct.unpack_from("=QQI", body)
            return os.pread(handle, size, offset)
        if op == READDIR:
            _, offset, size = struct.unpack_from("=QQI", body)
            out = b""
            for i, name in enumerate([".", "..", *sorted(os.listdir(path))][offset:], offset + 1):
                raw, kind = os.fsencode(name), stat.S_IFMT(os.lstat(os.path.join(path, name)).st_mode) >> 12
                entry = struct.pack("=QQII", self.number(os.path.join(path, name)), i, len(raw), kind) + raw
                entry += b"\0" * (-len(entry) % 8)
                if len(out) + len(entry) > size:
                    break
                out += entry
            return out
        if op == RELEASE:
            handle, = struct.unpack_from("=Q", body)
            if self.files.pop(handle, None):
                os.close(handle)
            return b""
        if op == STATFS:
            return struct.pack("=QQQQQIIII24x", 0, 0, 0, 0, 0, 4096, 255, 4096, 0)
        if op in (FLUSH, RELEASEDIR, ACCESS):
            return b""
        raise OSError(errno.ENOSYS, "")


def main(folder, at):
    device = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    if libc.mount(b"andon", at.encode(), b"fuse", 0, options):
        sys.exit(f"{at}: cannot be mounted: {os.strerror(ctypes.get_errno())}")
    print("ready", flush=True)
    shown = Folder(os.path.abspath(folder))
    while True:
        try:
            request = os.read(device, 1 << 20)
        except OSError as error:
            if error.errno == errno.ENODEV:  # unmounted
                return
            if error.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN):
                continue
            raise
        _, op, unique, node, *_ = HEAD.unpack_from(request)
        if op in (FORGET, BATCH_FORGET, INTERRUPT):
            continue
        try:
            status, body = 0, shown.answer(op, node, request[HEAD.size:])
        except OSError as error:
            status, body = -(error.errno or errno.EIO), b""
        try:
            os.write(device, struct.pack("=IiQ", 16 + len(body), status, unique) + body)
        except OSError as error:
            if error.errno != errno.ENOENT:  # who asked is gone
                raise


if __name__ == "__main__":
    main(*sys.argv[1:])
