"""
Sealed: what lies in the store is encrypted, with a key of each user's own, and what others write there is not believed.

    python docs/examples/18_sealed.py

It uses a SQLite file in a temporary folder, and prints:

    ann reads: 93,000
    in the file, in the clear: True
    in the file, sealed: False
    with another secret: None
    with the new secret and the old one: 93,000
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from pathlib import Path

from hashcache import Cache


def lies_open(folder: Path) -> bool:
    """Whether the amount can be read in any file of *folder*."""
    return any(b"93,000" in file.read_bytes() for file in folder.iterdir())


async def read(store: str, secret: str) -> object:
    """What ann is given by a cache with *secret*."""
    async with Cache(store, secret=secret, encrypt=True) as cache:
        return await cache.get("salary", user="ann")


async def main() -> None:
    old, new = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    with tempfile.TemporaryDirectory() as open_folder, tempfile.TemporaryDirectory() as sealed_folder:
        async with Cache(f"sqlite:///{open_folder}/cache.sqlite3") as plain:
            await plain.set("salary", "93,000", type="user", user="ann")
            in_the_clear = lies_open(Path(open_folder))
        store = f"sqlite:///{sealed_folder}/cache.sqlite3"
        async with Cache(store, secret=old, encrypt=True) as sealed:
            await sealed.set("salary", "93,000", type="user", user="ann")
            print("ann reads:", await sealed.get("salary", user="ann"))
            print("in the file, in the clear:", in_the_clear)
            print("in the file, sealed:", lies_open(Path(sealed_folder)))
        print("with another secret:", await read(store, new))
        print("with the new secret and the old one:", await read(store, f"{new},{old}"))


asyncio.run(main())
