"""This machine with another skin: what is installed there is nowhere else.

The process gets mounts and a network of its own; its root file system, below
`Machine.root`, is that of the machine with a file system in memory over it.
All of it goes with the process, however that ends.
"""

import ctypes
import fcntl
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile

from debian import run

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 4096, 0x4000, 1 << 18, 2
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
libc = ctypes.CDLL(None, use_errno=True)


class Unavailable(Exception):
    pass


def _call(function, *arguments):
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise Unavailable(f"{function.__name__}: {os.strerror(number)}")


def _mount(source, target, kind, flags=0, data=None):
    _call(libc.mount, source.encode(), str(target).encode(),
          kind and kind.encode(), ctypes.c_ulong(flags),
          data and data.encode())


def separate():
    """Once per process, before the first machine.

    @raise Unavailable  this process may not."""
    if os.geteuid() != 0:
        raise Unavailable("this is not root")
    for tool in ("dpkg", "chroot", "setpriv", "systemd-sysusers"):
        if not shutil.which(tool):
            raise Unavailable(f"there is no {tool}")
    _call(libc.unshare, CLONE_NEWNS | CLONE_NEWNET)
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS,
                    struct.pack("16sh14x", b"lo", IFF_UP))


class Machine:
    def __init__(self):
        self.at = pathlib.Path(tempfile.mkdtemp(prefix="troupe-test-"))
        try:
            _mount("tmpfs", self.at, "tmpfs")
            for name in ("upper", "work", "root"):
                (self.at / name).mkdir()
            self.root = self.at / "root"
            _mount("overlay", self.root, "overlay", 0,
                   f"lowerdir=/,upperdir={self.at}/upper,"
                   f"workdir={self.at}/work")
            for name in ("proc", "dev"):
                _mount("/" + name, self.root / name, None, MS_BIND | MS_REC)
        except Unavailable:
            self.close()
            raise
        # Without it dpkg is not kept waiting by an index of manual pages.
        (self.root / "var/lib/man-db/auto-update").unlink(missing_ok=True)
        # A container often has one that forbids every service.
        policy = self.root / "usr/sbin/policy-rc.d"
        policy.unlink(missing_ok=True)

    def close(self):
        libc.umount2(str(self.at).encode(), MNT_DETACH)
        self.at.rmdir()

    def run(self, *command, check=True):
        return run("chroot", self.root, *command, check=check,
                   env={**os.environ, "DEBIAN_FRONTEND": "noninteractive",
                        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                        "LC_ALL": "C.UTF-8"}, stdin=subprocess.DEVNULL)

    def dpkg(self, action, what):
        """@param what  a file of this machine or the name of a package"""
        if isinstance(what, pathlib.Path):
            shutil.copy(what, self.root / "package.deb")
            what = "/package.deb"
        return self.run("dpkg", action, what)

    def path(self, absolute):
        return self.root / absolute.lstrip("/")

    def owner(self, absolute):
        """User, group and mode, by the names of that machine."""
        return self.run("stat", "-c", "%U:%G %a",
                        absolute).stdout.strip()
