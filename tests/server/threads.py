"""Single threads of another process, stopped while the others run."""

import ctypes
import os
import pathlib
import time

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
libc.ptrace.restype = ctypes.c_long


def threads_of(pid):
    """Thread ids by name."""
    return {(task / "comm").read_text().strip(): int(task.name)
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir()}


def _ptrace(request, tid):
    if libc.ptrace(request, tid, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class StoppedThread:
    """A thread that hangs, for as long as the context lasts."""

    def __init__(self, tid):
        self.tid = tid

    def __enter__(self):
        _ptrace(PTRACE_SEIZE, self.tid)
        _ptrace(PTRACE_INTERRUPT, self.tid)
        os.waitpid(self.tid, WALL)
        return self

    def __exit__(self, *_):
        try:
            _ptrace(PTRACE_DETACH, self.tid)
        except ProcessLookupError:
            self.reap()

    def reap(self):
        """Takes the end of the thread, which its process waits for."""
        try:
            os.waitpid(self.tid, WALL | os.WNOHANG)
        except ChildProcessError:
            pass

    def wait(self, process, patience):
        """For the end of the process. @returns as `Popen.wait`."""
        until = time.monotonic() + patience
        while process.poll() is None:
            assert time.monotonic() < until, "the process does not end"
            self.reap()
            time.sleep(0.01)
        return process.returncode
