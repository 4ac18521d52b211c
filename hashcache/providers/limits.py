"""
What a vendor takes, checked before anything is reserved or sent.

Rule: a refusal says what is too much and what is allowed; it costs nothing, so it is not remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hashcache.core.content import Content, Kind
from hashcache.core.errors import ProviderRejected
from hashcache.ports import Body
from hashcache.providers.access import Access
from hashcache.providers.duration import seconds_of


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Of one kind: the media types in *formats* (empty: any text), at most *most_bytes*, at most *most_seconds*, and of
    texts *least_characters* to *most_characters*. None: no limit is known.
    """

    formats: frozenset[str] = frozenset()
    most_bytes: int | None = None
    most_seconds: int | None = None
    least_characters: int | None = None
    most_characters: int | None = None

    def sentence(self, kind: Kind) -> str:
        """For people: `image: jpeg, png; at most 50 MB`."""
        parts = [", ".join(sorted(one.partition("/")[2].removeprefix("x-") for one in self.formats))]
        parts += [f"at most {self.most_bytes / 1_000_000:g} MB"] if self.most_bytes is not None else []
        parts += [f"at most {self.most_seconds} s"] if self.most_seconds is not None else []
        parts += [f"at least {self.least_characters} characters"] if self.least_characters is not None else []
        parts += [f"at most {self.most_characters} characters"] if self.most_characters is not None else []
        return f"{kind.value}: " + ("; ".join(part for part in parts if part) or "any")


def as_planned(published: Mapping[Kind, Limits], access: Access) -> dict[Kind, Limits]:
    """What a vendor takes: the *published* limits, except where *access* names those of the operator's own plan."""
    return {
        kind: Limits(
            limits.formats,
            _first(access.most_bytes, limits.most_bytes),
            _first(access.most_seconds if kind is Kind.VIDEO else None, limits.most_seconds),
            limits.least_characters,
            _first(access.most_characters if kind is Kind.TEXT else None, limits.most_characters),
        )
        for kind, limits in published.items()
    }


def sentences(limits: Mapping[Kind, Limits]) -> tuple[str, ...]:
    """All *limits* for people."""
    return tuple(one.sentence(kind) for kind, one in limits.items())


async def check(provider: str, limits: Mapping[Kind, Limits], content: Content, body: Body) -> float | None:
    """
    The duration of a video in seconds, as far as the file tells it and a limit asks for it.

    Raises:
        ProviderRejected: the content is beyond *limits*.
    """
    kind = content.kind
    limit = limits.get(kind)
    if limit is None:
        raise ProviderRejected(provider, f"{provider} does not analyse {kind.value}s")
    if limit.formats and content.media_type not in limit.formats:
        taken = ", ".join(sorted(limit.formats))
        raise ProviderRejected(provider, f"{provider} does not take {content.media_type}; it takes {taken}")
    if limit.most_bytes is not None and body.size > limit.most_bytes:
        message = f"{provider} takes {kind.value}s of at most {limit.most_bytes} bytes; this one has {body.size}"
        raise ProviderRejected(provider, message)
    if kind is not Kind.VIDEO:
        return None
    seconds = await seconds_of(body, content.media_type)
    if limit.most_seconds is not None and seconds is not None and seconds > limit.most_seconds:
        message = f"{provider} takes videos of at most {limit.most_seconds} s; this one lasts {seconds:.1f} s"
        raise ProviderRejected(provider, message)
    return seconds


def check_length(provider: str, limit: Limits, text: str) -> None:
    """
    Whether *text* has as many characters (code points) as the vendor takes.

    Raises:
        ProviderRejected: it is too short or too long.
    """
    length = len(text)
    if limit.least_characters is not None and length < limit.least_characters:
        message = f"{provider} takes texts of at least {limit.least_characters} characters; this one has {length}"
        raise ProviderRejected(provider, message)
    if limit.most_characters is not None and length > limit.most_characters:
        message = f"{provider} takes texts of at most {limit.most_characters} characters; this one has {length}"
        raise ProviderRejected(provider, message)


def _first(chosen: int | None, published: int | None) -> int | None:
    return published if chosen is None else chosen
