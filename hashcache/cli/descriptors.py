"""
How many files and connections a server may have open.

Rule: many systems start a process with 1,024 and let it have more if it asks. Each connection takes one, and so does
      each upload in a spool file: beyond the limit no connection is accepted.
"""

from __future__ import annotations

import sys
from contextlib import suppress

#: Where there is no limit: what Linux gives a process at most, unless told otherwise (fs.nr_open).
_MOST = 1_048_576


def raised() -> tuple[int, int] | None:
    """
    Raise the soft limit to the hard one, for this process and those that it starts: what it was, and what it is.

    None: it was as high before, or the system knows no such limit (Windows) or keeps another one (macOS).
    """
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - not there on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST if hard == resource.RLIM_INFINITY else hard
    if soft == resource.RLIM_INFINITY or soft >= most:
        return None
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return soft, most
    return None
