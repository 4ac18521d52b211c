"""
Similar content: short texts that were asked before in nearly the same words, or with nearly the same meaning.

Rule 1: what is offered says so (`match: near`), how far it is, and whose answer it is. It is never stored under the
        text that was asked: a near match is a suggestion to whoever asked, no answer to the question. Never for what
        is paid for its exactness, such as a verdict about a content.
Rule 2: a text is compared with those of its own type and user only, and only where that type asked for it.
Rule 3: normalised for comparing alone (Unicode NFKC, case folded): no key is made of that. What is kept of a text is
        its words or its direction, in this process's memory, and in no log.
Rule 4: everything is bounded: the length of a text, and how many are remembered, of one type and user and in all.
Rule 5: two texts with other numbers in them are never near by their words: `order 17` is not `order 18`.
Rule 6: the index lives in this process and knows no lifetimes. Whoever is offered a key reads its answer, and forgets
        the key here when there is none any more.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import re
import unicodedata
from array import array
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import mul
from typing import Literal, NamedTuple, cast

#: What a text means, as numbers; plain functions run in a thread.
Embed = Callable[[str], Sequence[float] | Awaitable[Sequence[float]]]

#: Characters; a longer text is neither remembered nor compared.
LONGEST = 2000
_WORD = re.compile(r"\w+")


class EmbeddingRefused(ValueError):
    """An embedding gave what has no direction: NaN, an infinity, nothing but zeros, another length than before."""


@dataclass(frozen=True, slots=True)
class Near:
    """
    An answer to a text that is not the one asked: that of *key*, at a *distance* of 0 (the same words, or the same
    direction) to 1. `1 - distance` is the similarity.
    """

    key: str
    distance: float
    match: Literal["near"] = "near"


def shingles(text: str, width: int = 1) -> frozenset[str]:
    """Each *width* words in a row of *text*; all its words as one, if it has fewer; empty: it has none."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    if not words:
        return frozenset()
    return frozenset(" ".join(words[at : at + width]) for at in range(max(1, len(words) - width + 1)))


def containment(one: frozenset[str], other: frozenset[str]) -> float:
    """Which share of *one* is in *other*, 0 to 1 (Broder 1997); not symmetric. An empty set is contained in nothing."""
    return len(one & other) / len(one) if one else 0.0


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """The smaller of both containments: symmetric, and low where a short text is merely a part of a long one."""
    return len(one & other) / max(len(one), len(other)) if one and other else 0.0


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Of two vectors of length 1, at least 0 (what points apart is not similar at all), to 12 decimals; symmetric."""
    return round(min(1.0, max(0.0, float(sum(map(mul, one, other))))), 12)


def unit(vector: Sequence[float]) -> tuple[float, ...]:
    """
    *vector* with length 1.

    Raises:
        EmbeddingRefused: it has no direction.
    """
    numbers = tuple(float(one) for one in vector)
    largest = max(map(abs, numbers), default=0.0)
    if not all(map(math.isfinite, numbers)) or not largest:
        raise EmbeddingRefused("an embedding is finite numbers, not all of them zero")
    scaled = [one / largest for one in numbers]  # no overflow, whatever the numbers
    length = math.hypot(*scaled)
    return tuple(one / length for one in scaled)


class Scope(NamedTuple):
    """Whose texts are compared with each other: those of one *type*, and of one *user* (None: everybody's)."""

    type: str
    user: str | None = None


@dataclass(frozen=True, slots=True)
class _Text:
    """What is kept of a text: its shingles and numbers, or its direction."""

    words: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    direction: Sequence[float] = ()

    def similarity(self, other: _Text) -> float:
        if self.direction:
            return cosine(self.direction, other.direction)
        return similarity(self.words, other.words) if self.numbers == other.numbers else 0.0


class Similar:
    """
    An index of the texts that were answered. Not safe in several threads: it belongs to one event loop.

    *threshold*: from which similarity on a text is offered, above 0 and at most 1. *most*: texts per type and user,
    *total*: of all of them; beyond that those go that were neither remembered nor offered for longest. *longest*:
    characters of a text. *width*: words in a shingle; with 1 the order of the words does not count. *embed*: compare
    by its direction (cosine) instead; then *width* is not used. What it raises is raised on.
    """

    def __init__(
        self,
        threshold: float = 0.9,
        *,
        most: int = 1000,
        total: int = 10_000,
        longest: int = LONGEST,
        width: int = 1,
        embed: Embed | None = None,
    ) -> None:
        if not 0 < threshold <= 1:
            raise ValueError("threshold is a similarity, above 0 and at most 1")
        if min(most, total, longest, width) < 1:
            raise ValueError("most, total, longest and width are 1 or more")
        self._threshold = threshold
        self._most, self._total, self._longest = most, total, longest
        self._width = width
        self._embed = embed
        self._length: int | None = None
        self._count = 0
        self._index: OrderedDict[Scope, OrderedDict[str, _Text]] = OrderedDict()

    async def remember(self, scope: Scope, key: str, text: str) -> bool:
        """
        Offer *key*, under which the answer to *text* is kept, from now on. False: the text is too long, or has no word.

        Raises:
            EmbeddingRefused: the embedding gave no direction.
        """
        read = await self._read(text)
        if read is None:
            return False
        texts = self._index.setdefault(scope, OrderedDict())
        self._index.move_to_end(scope)
        self._count += key not in texts
        texts[key] = read
        texts.move_to_end(key)
        if len(texts) > self._most:
            self.forget(scope, next(iter(texts)))
        if self._count > self._total:
            unused = next(iter(self._index))
            self.forget(unused, next(iter(self._index[unused])))
        return True

    async def offer(self, scope: Scope, text: str) -> Near | None:
        """
        The nearest of the texts of *scope*, of equally near ones the one with the smallest key; None: none is near.

        Raises:
            EmbeddingRefused: the embedding gave no direction.
        """
        if scope not in self._index:
            return None
        read = await self._read(text)
        texts = self._index.get(scope)
        if read is None or texts is None:
            return None
        if self._embed is None:
            apart, key = _closest(read, texts.items())
        else:  # a thousand products of a thousand numbers each would hold up the loop
            apart, key = await asyncio.to_thread(_closest, read, list(texts.items()))
        if -apart < self._threshold or key not in self._index.get(scope, ()):
            return None
        self._index[scope].move_to_end(key)
        self._index.move_to_end(scope)
        return Near(key, round(1 + apart, 12))

    @property
    def embeds(self) -> bool:
        """Whether texts are compared by an embedding."""
        return self._embed is not None

    def knows(self, scope: Scope, key: str) -> bool:
        """Whether the text that was answered under *key* is remembered."""
        return key in self._index.get(scope, ())

    def forget(self, scope: Scope, key: str) -> None:
        """Offer *key* no more, since its answer is gone."""
        texts = self._index.get(scope)
        if texts is not None and key in texts:
            del texts[key]
            self._count -= 1
            if not texts:
                del self._index[scope]

    def clear(self) -> None:
        """Offer nothing of what was remembered."""
        self._index.clear()
        self._count = 0
        self._length = None

    def __len__(self) -> int:
        """How many texts are remembered."""
        return self._count

    async def _read(self, text: str) -> _Text | None:
        if len(text) > self._longest:
            return None
        words = shingles(text, 1)
        if not words:
            return None
        if self._embed is None:
            numbers = frozenset(word for word in words if any(letter.isnumeric() for letter in word))
            return _Text(shingles(text, self._width), numbers)
        direction = unit(await _embedded(self._embed, text))
        if self._length not in (None, len(direction)):
            raise EmbeddingRefused(f"an embedding of {len(direction)} numbers, where earlier ones had {self._length}")
        self._length = len(direction)
        return _Text(direction=array("d", direction))


def _closest(read: _Text, texts: Iterable[tuple[str, _Text]]) -> tuple[float, str]:
    """The negative similarity, and the key, of the one of *texts* that is to be offered before all others."""
    return min((-read.similarity(other), key) for key, other in texts)


async def _embedded(embed: Embed, text: str) -> Sequence[float]:
    if inspect.iscoroutinefunction(embed):
        return cast("Sequence[float]", await embed(text))
    given = await asyncio.to_thread(embed, text)
    return await given if inspect.isawaitable(given) else given
