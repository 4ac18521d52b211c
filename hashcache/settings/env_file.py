"""
The `.env` file: lines of NAME=value, read as shells and their kin mostly agree on it.

Rule 1: `# comment`, blank lines and a leading `export` are skipped. Without quotes a value ends before blank-and-#;
        in 'single quotes' everything is literal; in "double quotes" \\n, \\r, \\t, \\", \\$ and \\\\ are escapes.
Rule 2: nothing is expanded: $HOME stays $HOME, because passwords hold dollars.
Rule 3: what cannot be read, and a name set twice, is an error with its line; a value is never repeated.
"""

from __future__ import annotations

import re

from hashcache.core.errors import SettingsError

_LINE = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*)")
_SINGLE = re.compile(r"'([^']*)'[ \t]*(?:#.*)?")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"[ \t]*(?:#.*)?')
_COMMENT = re.compile(r"(?:^|[ \t]+)#.*")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "$": "$", "\\": "\\"}


class _Unreadable(ValueError):
    """Why one line cannot be read."""


def read_env_file(text: str) -> dict[str, str]:
    """
    The variables of a `.env` file, in its order. The process's own environment is stronger:
    `load({**read_env_file(text), **environ})`.

    Raises:
        SettingsError: one line of message for each line that cannot be read.
    """
    found: dict[str, str] = {}
    lines: dict[str, int] = {}
    problems = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        try:
            name, value = _variable(stripped)
        except _Unreadable as unreadable:
            problems.append(f".env, line {number}: {unreadable}")
            continue
        if name in lines:
            problems.append(f".env, line {number}: {name} is set already in line {lines[name]}")
            continue
        found[name], lines[name] = value, number
    if problems:
        raise SettingsError("\n".join(problems))
    return found


def _variable(line: str) -> tuple[str, str]:
    parts = _LINE.fullmatch(line)
    if parts is None:
        raise _Unreadable("not of the form NAME=value")
    name, value = parts.groups()
    if value.startswith("'"):
        quoted = _SINGLE.fullmatch(value)
        if quoted is None:
            raise _Unreadable(f"the value of {name} needs one closing ' at its end")
        return name, quoted[1]
    if value.startswith('"'):
        quoted = _DOUBLE.fullmatch(value)
        if quoted is None:
            raise _Unreadable(f'the value of {name} needs one closing " at its end')
        return name, _ESCAPE.sub(_unescape, quoted[1])
    return name, _COMMENT.sub("", value).rstrip()


def _unescape(found: re.Match[str]) -> str:
    """An escape that nobody defined stays as it is."""
    return _ESCAPES.get(found[1], found[0])
