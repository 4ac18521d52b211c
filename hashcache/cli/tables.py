"""Tables for a terminal and for a pipe: words to the left, figures to the right, nothing cut off or broken."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal

_BETWEEN = "  "


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """*rows* under *heads*, as many columns in each; the first column holds names, the others figures."""
    lines = [list(heads), *([str(field) for field in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        _BETWEEN.join(
            field.ljust(width) if not place else field.rjust(width)
            for place, (field, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def shown(name: str) -> str:
    """A file's *name* on one line: what a terminal would obey, or cannot show, is escaped."""
    return "".join(
        letter if unicodedata.category(letter)[0] != "C" else letter.encode("unicode_escape").decode()
        for letter in name
    )


def amount(dollars: Decimal) -> str:
    """*dollars* with two decimals, and more where there are more: `$0.10`, `$0.002`."""
    exact = dollars.normalize()
    places = max(2, -int(exact.as_tuple().exponent))
    return f"${exact:,.{places}f}"


def size(number: int) -> str:
    """*number* bytes for people, in steps of a thousand: `38 MB`, `1.2 GB`."""
    figure = float(number)
    for unit in ("B", "kB", "MB"):
        if figure < 999.5:
            return f"{figure:.3g} {unit}"
        figure /= 1000
    return f"{figure:,.1f} GB"
