"""
The limits under which strangers' bytes are read: set by the child process on itself, before the first file.

Rule 1: after `close_doors` exactly one more descriptor fits into the process: the file under analysis. While it is
        open no socket can be made, by Python or by native code: the kernel answers EMFILE.
Rule 2: Python code that asks for a socket, a file or a process is refused by name as well, at any time.
Rule 3: memory, processor time, and time on the clock are bounded by the kernel, so that native code is stopped too;
        nothing can be written to any file, and a crash leaves no core.
"""

from __future__ import annotations

import os
import resource
import signal
import sys

#: Audit events (Python's table of audit events) that a reader of files has no use for.
_REFUSED = ("open", "socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system", "ctypes.dlopen")
#: After a deadline that the service should have kept, the child ends itself.
_PATIENCE = 5.0


def limit(*, memory: int, cpu: int) -> None:
    """Bound address space to *memory* bytes and processor time, for all files together, to *cpu* seconds."""
    _set(resource.RLIMIT_AS, memory, memory)
    _set(resource.RLIMIT_FSIZE, 0, 0)
    _set(resource.RLIMIT_CORE, 0, 0)
    _set(resource.RLIMIT_CPU, cpu, cpu)


def close_doors() -> None:
    """From now on one more descriptor can be received, and no door be opened."""
    lowest = os.dup(0)
    os.close(lowest)
    _set(resource.RLIMIT_NOFILE, lowest + 1, lowest + 1)
    sys.addaudithook(_refuse)


def begin(*, cpu: int, seconds: float) -> None:
    """A file begins: it may take *cpu* seconds of processor time and some more than *seconds* on the clock."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    _set(resource.RLIMIT_CPU, min(hard, int(used.ru_utime + used.ru_stime) + 1 + cpu), hard)
    signal.setitimer(signal.ITIMER_REAL, seconds + _PATIENCE)


def end() -> None:
    """A file ended."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def _refuse(event: str, _arguments: tuple[object, ...]) -> None:
    if event.startswith(_REFUSED):
        raise PermissionError(f"{event}: an analysis opens nothing")


def _set(which: int, soft: int, hard: int) -> None:
    """Set a limit, but never above what the process was given."""
    most = resource.getrlimit(which)[1]
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    resource.setrlimit(which, (soft, hard))
