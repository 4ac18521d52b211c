"""Tables for a terminal and for a pipe: words to the left, figures to the right, nothing cut off or broken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
