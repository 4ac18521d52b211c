"""
Which files are meant by the names on a command line.

Rule 1: a folder means every regular file below it, in order of their paths, but for hidden ones (`.git`); a file that
        is named itself is always meant.
Rule 2: links to folders are not followed, so no folder is walked twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

STDIN = "-"


def files(names: Sequence[str]) -> list[str]:
    """
    The paths of the files that *names* mean, each once, in order; `-` stays what it is.

    Raises:
        click.ClickException: a name means nothing.
    """
    found: list[str] = []
    for name in names:
        path = Path(name)
        if name == STDIN or path.is_file():
            found.append(name)
        elif path.is_dir():
            found.extend(_below(path))
        else:
            raise click.ClickException(f"there is no file or folder {name!r}")
    return list(dict.fromkeys(found))


def _below(folder: Path) -> Iterator[str]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for name in sorted(names):
            path = Path(where, name)
            if not name.startswith(".") and path.is_file():
                yield str(path)
