"""
Keys declared once, with the pattern that invalidates them.

    AGENTS = Keys("agents:list:{org}:{params}")
    AGENTS.key(org="acme", params={"page": 2})       "agents:list:acme:3f0c..."
    AGENTS.pattern(org="acme")                       "agents:list:acme:*"

Rule: no value forges another key or a wildcard. A short text, a number or a UUID stands as it is, with `:`, `*` and
      what else has a meaning percent-encoded; everything else, and what is long, stands as a digest.
"""

from __future__ import annotations

import re
from string import Formatter
from uuid import UUID

from hashcache.integrations.arguments import digest_of

_WORD = re.compile(r"[A-Za-z0-9_.@+-]")
_LONGEST = 64
_DIGESTED = "~"


class Keys:
    """
    Keys of one shape. *template*: text with the names of values in braces.

    Raises (when made):
        ValueError: it holds no value, a `*`, braces that are no names, or two values with nothing between them that
            keeps them apart, such as a colon.
    """

    def __init__(self, template: str) -> None:
        if "*" in template:
            raise ValueError(f"a template of keys holds no *: {template!r}; the wildcard comes of .pattern()")
        self.template = template
        self._pieces, self.fields = parsed(template)
        if not self.fields:
            raise ValueError(f"a template of keys names values in braces, such as 'agents:{{org}}', not {template!r}")

    def key(self, **values: object) -> str:
        """
        The key of these *values*.

        Raises:
            TypeError: one is missing, is not of this template, or has no canonical form.
        """
        missing = [name for name in self.fields if name not in values]
        if missing:
            raise TypeError(f"the key {self.template!r} needs {', '.join(missing)}")
        return self.pattern(**values)

    def pattern(self, **values: object) -> str:
        """
        The pattern that means all keys with these *values*, whatever the others are.

        Raises:
            TypeError: a value is not of this template, or has no canonical form.
        """
        strange = [name for name in values if name not in self.fields]
        if strange:
            raise TypeError(f"the key {self.template!r} has no {', '.join(strange)}")
        given = {name: written(value, name) for name, value in values.items()}
        return "".join(text + ("" if name is None else given.get(name, "*")) for text, name in self._pieces)

    def __repr__(self) -> str:
        return f"Keys({self.template!r})"


def parsed(template: str) -> tuple[list[tuple[str, str | None]], tuple[str, ...]]:
    """
    The pieces of *template*, each a text and the name that follows it (None: none does), and the names in order.

    Raises:
        ValueError: what stands in braces is not just a name, or two values are not kept apart.
    """
    pieces: list[tuple[str, str | None]] = []
    try:
        for text, name, form, conversion in Formatter().parse(template):
            if name is not None and (not name.isidentifier() or form or conversion):
                raise ValueError(name)
            pieces.append((text, name))
    except ValueError:
        raise ValueError(f"in {template!r} a name alone stands in braces, such as {{org}}") from None
    for text, name in pieces[1:]:
        if name is not None and all(map(_WORD.fullmatch, text)):  # ("x-y", "z") and ("x", "y-z") must differ
            raise ValueError(f"in {template!r} a colon must stand before {{{name}}}: values may hold {text!r}")
    return pieces, tuple(dict.fromkeys(name for _, name in pieces if name is not None))


def written(value: object, name: str) -> str:
    """How *value*, called *name*, stands in a key: 1 and "1" alike, as in a URL."""
    if isinstance(value, str | int | UUID) and not isinstance(value, bool):
        text = "".join(letter if _WORD.fullmatch(letter) else _percent(letter) for letter in str(value)[: _LONGEST + 1])
        if 0 < len(text) <= _LONGEST:
            return text
    return _DIGESTED + digest_of(value, name)


def _percent(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode(errors="surrogatepass"))
