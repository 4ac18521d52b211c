"""
`python -m hashcache`, and what its worker processes start with: the place where the environment is read.

Rule: the process's own variables win over the `.env` file of the working directory.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from hashcache import cli
from hashcache.cli import logs
from hashcache.core.errors import SettingsError
from hashcache.settings import load, read_env_file

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_LARGEST_ENV_FILE = 1_000_000


def main() -> None:
    """Run the command line."""
    logs.configure()
    try:
        variables = _variables()
    except SettingsError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(2)
    cli.main(obj=cli.World(variables, _export), prog_name="hashcache")


def create() -> ASGIApp:
    """The application of one server process, as its environment says."""
    from hashcache import app  # noqa: PLC0415 - only a server is made of it; other commands answer at once

    logs.configure()
    made = app.create(load(_variables()))
    _settle()
    return made


def _settle() -> None:
    """
    Have done, before anybody is served, what would hold up everybody later.

    httpx, which carries webhooks, loads what it works with in the middle of its first call (50 ms). And all that lives
    as long as this process is looked at by every collection of the oldest garbage (60 ms), unless it is frozen.
    """
    import anyio.lowlevel  # noqa: PLC0415 - as above
    import httpcore  # noqa: F401, PLC0415 - as above, and it need not be used to be loaded

    loading = Thread(target=anyio.run, args=(anyio.lowlevel.checkpoint,))  # a loop of its own: ours may run already
    loading.start()
    loading.join()
    gc.collect()
    gc.freeze()


def _variables() -> dict[str, str]:
    """
    The `.env` file, and over it the environment.

    Raises:
        SettingsError: the file is there but cannot be read.
    """
    path = Path(".env")
    try:
        text = path.read_text("utf-8") if path.is_file() and path.stat().st_size <= _LARGEST_ENV_FILE else ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f".env cannot be read: {error}") from None
    return {**read_env_file(text), **os.environ}  # noqa: TID251 - the one licensed place


def _export(name: str, value: str) -> None:
    os.environ[name] = value  # noqa: TID251 - settings made here reach the worker processes


if __name__ == "__main__":
    main()
