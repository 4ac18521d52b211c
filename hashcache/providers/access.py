"""How one vendor is reached with the operator's account, as the settings say."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import timedelta

from hashcache.core.content import Kind
from hashcache.core.money import MicroDollars


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """
    An account at a vendor: *key* (and *user*, where the vendor has two parts) open the API at *url*, which has no
    slash at its end. *price*: of one unit of the vendor's. *timeout* and *video_timeout* bound a call, *concurrency*
    how many one process makes at a time. A score of *ai_above* or more means AI.

    *tls*: whom to trust, made once for all vendors; None: the public authorities.
    *most_bytes*, *most_seconds* and *most_characters* replace the vendor's own limits where they are not None.
    """

    url: str
    key: str = field(repr=False)
    user: str = field(default="", repr=False)
    price: MicroDollars
    timeout: timedelta
    video_timeout: timedelta
    concurrency: int
    ai_above: float
    most_bytes: int | None = None
    most_seconds: int | None = None
    most_characters: int | None = None
    tls: ssl.SSLContext | None = field(default=None, repr=False, compare=False)

    def parameters(self, own: str) -> dict[str, str]:
        """
        What of it changes an answer, or how it is read: the threshold, and the address unless it is the vendor's *own*
        (another one may be another service). Key, price, deadlines and limits do not.
        """
        parameters = {"ai_above": repr(float(self.ai_above))}
        return parameters if self.url == own else {**parameters, "url": self.url}

    def patience(self, kind: Kind) -> timedelta:
        """The total deadline of a call about a content of *kind*."""
        return self.video_timeout if kind is Kind.VIDEO else self.timeout
