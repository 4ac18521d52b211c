"""
What processes tell each other: an invalidation, a finished purchase, an acknowledgement.

Rule 1: a notice is JSON, documented in docs/channel.md, so that services in other languages can listen.
Rule 2: a notice only says what is true in the store already; applied twice, late or out of order it does no harm.
Rule 3: it never carries an answer.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hashcache.core.barrier import Selector
from hashcache.core.errors import EntryRefused, PatternError

#: A longer message is none of ours.
LONGEST = 64 * 1024


class Notice(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """
    One message. *kind* `invalidate`: everything that *selector* means is forgotten as of *sequence*;
    `forget`: the keys with the logical names in *keys* are; `done`: a purchase of these keys has ended;
    `acknowledge`: *origin* has applied the notice *id*.

    *timestamp* is in milliseconds since 1970 on the store's clock, *origin* names the process that sent it,
    *pattern* repeats the selector's for listeners who know only patterns.
    """

    kind: Literal["invalidate", "forget", "done", "acknowledge"]
    origin: str
    timestamp: int
    id: str = ""
    sequence: int = 0
    selector: Selector | None = None
    pattern: str | None = None
    keys: tuple[str, ...] = ()
    reason: str = ""


_decoder = msgspec.json.Decoder(Notice)


def encode(notice: Notice) -> bytes:
    """*notice* as JSON."""
    return msgspec.json.encode(notice)


def decode(raw: bytes) -> Notice:
    """
    The notice in *raw*. Fields that we do not know are passed over.

    Raises:
        EntryRefused: it is none (`notice`).
    """
    if len(raw) > LONGEST:
        raise EntryRefused("notice")
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, PatternError, RecursionError, UnicodeDecodeError):
        raise EntryRefused("notice") from None
