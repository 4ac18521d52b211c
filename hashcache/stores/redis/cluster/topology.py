"""
Which node has which slot, as one node told it (CLUSTER SLOTS, which Redis and Valkey both answer since 3.0).

Rule 1: data only; who asks whom, and when, is in `survey` and `nodes`.
Rule 2: a node is known by the host and port that it is announced with. One without a host is where the answer came
        from (Redis documentation, CLUSTER SLOTS: a null endpoint).
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from redis.crc import key_slot

SLOTS = 16384
#: Host and port.
Endpoint = tuple[str, int]


def slot_of(key: str | bytes) -> int:
    """The slot of *key* (Redis Cluster specification: CRC16 of what is between its first braces, or of all)."""
    return key_slot(key.encode() if isinstance(key, str) else key)


@dataclass(frozen=True)
class Topology:
    """
    *shards*: first and last slot, the master that has them, and its id, in order. *replicas* by their master.

    *moved*: what single answers have told since.
    """

    shards: tuple[tuple[int, int, Endpoint, str], ...]
    replicas: Mapping[Endpoint, tuple[Endpoint, ...]]
    moved: Mapping[int, Endpoint] = field(default_factory=dict)

    @classmethod
    def parse(cls, reply: Any, asked: Endpoint) -> Topology:
        """
        The topology in the *reply* of the node that was *asked*.

        Raises:
            ValueError: it is none, or holds no slot.
        """
        shards: list[tuple[int, int, Endpoint, str]] = []
        replicas: dict[Endpoint, tuple[Endpoint, ...]] = {}
        try:
            for first, last, master, *others in reply:
                endpoint = _endpoint(master, asked)
                shards.append((int(first), int(last), endpoint, bytes(master[2]).decode() if len(master) > 2 else ""))
                replicas[endpoint] = tuple(_endpoint(one, asked) for one in others)
        except (TypeError, IndexError, ValueError) as error:
            raise ValueError("not an answer to CLUSTER SLOTS") from error
        if not shards:
            raise ValueError("a node without slots")
        return cls(tuple(sorted(shards)), replicas)

    def owner(self, slot: int) -> Endpoint | None:
        """The master that has *slot*; None: nobody."""
        if slot in self.moved:
            return self.moved[slot]
        at = bisect_right(self._firsts, slot) - 1
        if at < 0 or self.shards[at][1] < slot:
            return None
        return self.shards[at][2]

    def slots(self, master: Endpoint) -> set[int]:
        """The slots that *master* has."""
        own = {slot for first, last, one, _ in self.shards if one == master for slot in range(first, last + 1)}
        away = {slot for slot, one in self.moved.items() if one != master}
        return (own - away) | {slot for slot, one in self.moved.items() if one == master}

    def told(self, slot: int, owner: Endpoint) -> Topology:
        """This one, with *slot* at *owner*."""
        return replace(self, moved={**self.moved, slot: owner})

    @cached_property
    def masters(self) -> tuple[Endpoint, ...]:
        """The nodes that have slots, in order."""
        return tuple(sorted({one for _, _, one, _ in self.shards} | set(self.moved.values())))

    @cached_property
    def everybody(self) -> tuple[Endpoint, ...]:
        """Masters first, then replicas."""
        replicas = {one for group in self.replicas.values() for one in group}
        return (*self.masters, *sorted(replicas - set(self.masters)))

    @cached_property
    def signature(self) -> str:
        """Eight hexadecimal digits, others for another topology."""
        return f"{zlib.crc32(repr((self.shards, sorted(self.moved.items()))).encode()):08x}"

    @cached_property
    def _firsts(self) -> list[int]:
        return [first for first, _, _, _ in self.shards]


def _endpoint(told: Any, asked: Endpoint) -> Endpoint:
    host = bytes(told[0] or b"").decode()
    return (host if host not in ("", "?") else asked[0], int(told[1]))
