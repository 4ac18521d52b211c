"""A program that opens a cache, forks, and tells what either process can do with it: `parent` and `child` lines."""

from __future__ import annotations

import os
import sys

from hashcache import SyncCache


def child(cache: SyncCache) -> None:
    """What the fork says: of the cache that it inherits, and of the same when it opened it itself."""
    try:
        cache.get("a")
    except RuntimeError as error:
        print("child refused:", error)  # noqa: T201 - what the test reads
    cache.stop()  # nothing of the parent's is stopped
    with cache:
        print("child found", cache.get("a"), cache.get_or_load("b", os.getpid) == os.getpid())  # noqa: T201 - as above
    with cache:
        print("child found", cache.get("a"))  # noqa: T201 - as above


def main(url: str, environment: str) -> None:
    """Fork inside `with`, as a server does that loads its application first; the child leaves it too."""
    with SyncCache(url, environment=environment, near_bytes=0) as cache:
        cache.set("a", 1)
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            child(cache)
            return
        _, status = os.waitpid(pid, 0)
        told = cache.invalidate("b"), cache.get("a"), cache.get_or_load("c", lambda: 3)
        print("parent found", *told, "child ended", status)  # noqa: T201 - as above


if __name__ == "__main__":
    main(*sys.argv[1:])
