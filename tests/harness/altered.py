"""A vendor's usual answer with one thing in it changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loadtests.vendor.received import Request

#: As a value: the member is not there at all.
ABSENT = object()


def altered(answer: Callable[[Request], Any], **changes: Any) -> Callable[[Request], Any]:
    """*answer* with *changes*: names are paths, `report__meta__md5`, in which a number counts in a list."""

    def changed(request: Request) -> Any:
        document = answer(request)
        for path, value in changes.items():
            *way, last = path.split("__")
            place = document
            for name in way:
                place = place[int(name)] if isinstance(place, list) else place[name]
            if value is ABSENT:
                del place[last]
            else:
                place[last] = value
        return document

    return changed
