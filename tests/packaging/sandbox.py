"""System calls forbidden as the unit forbids them, by the same library."""

import ctypes
import errno
import functools
import socket
import subprocess

ALLOW = 0x7FFF0000
MASKED_EQUAL, EQUAL = 7, 4
PROT_WRITE, PROT_EXEC = 2, 4
UNKNOWN = -1
# cgroup, uts, ipc, user, pid, net, mnt
NAMESPACES = (0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000,
              0x40000000, 0x00020000)


class Compare(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("how", ctypes.c_int),
                ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


@functools.cache
def library():
    made = ctypes.CDLL("libseccomp.so.2")
    made.seccomp_init.restype = ctypes.c_void_p
    made.seccomp_init.argtypes = [ctypes.c_uint32]
    made.seccomp_load.argtypes = [ctypes.c_void_p]
    made.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint,
        ctypes.POINTER(Compare)]
    return made


def error(number):
    return 0x00050000 | number


@functools.cache
def calls_in(name):
    """The system calls of `@set`, or the one of that name."""
    if not name.startswith("@"):
        return frozenset([name])
    text = subprocess.run(["systemd-analyze", "syscall-filter", name],
                          check=True, capture_output=True,
                          text=True).stdout.splitlines()
    found = set()
    for line in text[1:]:
        if line.strip() and not line.strip().startswith("#"):
            found |= calls_in(line.strip())
    return frozenset(found)


def allowed_by(unit):
    found = set(calls_in("@default"))
    for value in unit.all("SystemCallFilter"):
        named = set()
        for name in value.removeprefix("~").split():
            named |= calls_in(name)
        found = found - named if value.startswith("~") else found | named
    return found


class Filter:
    def __init__(self, otherwise):
        self.of = library().seccomp_init(otherwise)

    def add(self, action, name, *compare):
        number = library().seccomp_syscall_resolve_name(name.encode())
        if number == UNKNOWN or number < -1:
            return  # of another architecture
        compared = (Compare * max(1, len(compare)))(*compare)
        if library().seccomp_rule_add_array(self.of, action, number,
                                            len(compare), compared) != 0:
            raise OSError(f"no rule for {name}")

    def load(self):
        if library().seccomp_load(self.of) != 0:
            raise OSError("the filter is refused")


def of(unit):
    """What to call in a new process, so that these settings of the unit are
    in force: SystemCallFilter, RestrictNamespaces, RestrictAddressFamilies,
    MemoryDenyWriteExecute."""
    assert unit["RestrictNamespaces"] == unit["MemoryDenyWriteExecute"] == "yes"
    refused = error(getattr(errno, unit["SystemCallErrorNumber"]))
    kinds = {getattr(socket, x) for x in unit.words("RestrictAddressFamilies")}

    details = Filter(ALLOW)
    for call in ("unshare", "clone"):
        for flag in NAMESPACES:
            details.add(error(errno.EPERM), call,
                        Compare(0, MASKED_EQUAL, flag, flag))
    details.add(error(errno.EPERM), "setns")
    details.add(error(errno.ENOSYS), "clone3")
    for kind in set(range(64)) - kinds:
        details.add(error(errno.EAFNOSUPPORT), "socket",
                    Compare(0, EQUAL, kind, 0))
    both = PROT_WRITE | PROT_EXEC
    details.add(error(errno.EPERM), "mmap",
                Compare(2, MASKED_EQUAL, both, both))
    for call in ("mprotect", "pkey_mprotect"):
        details.add(error(errno.EPERM), call,
                    Compare(2, MASKED_EQUAL, PROT_EXEC, PROT_EXEC))

    calls = Filter(refused)
    for name in allowed_by(unit):
        calls.add(ALLOW, name)

    def enter():
        details.load()
        calls.load()

    return enter
