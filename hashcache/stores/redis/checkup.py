"""
What a server tells an operator of itself: a dozen commands, of which none writes and none is KEYS.

Rule: each figure is optional. Hosts leave out sections of INFO, refuse commands, or tell nothing at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from time import perf_counter, time_ns

from redis.exceptions import ResponseError

from hashcache.core.key import Names
from hashcache.ports import StoreFacts
from hashcache.stores.redis.server import Server

_ROUNDS = 5
#: Keys that are looked at: a look at the neighbourhood, not a census.
_PAGES, _A_PAGE = 4, 500
_OURS = ("books:", "notices", "channel")


async def examine(server: Server, names: Names, *, within: timedelta) -> StoreFacts:
    """The facts; raises StoreUnavailable when the server does not answer."""
    told = _fields(await _one(server, ("INFO",), within))
    took = []
    for _ in range(_ROUNDS):
        began = perf_counter()
        await server.ask(("PING",), within=within)
        took.append((perf_counter() - began) * 1000)
    before = time_ns() // 1_000_000
    clock = await _one(server, ("TIME",), within)
    after = time_ns() // 1_000_000
    skew = None
    if isinstance(clock, (list, tuple)) and len(clock) == 2:
        skew = int(clock[0]) * 1000 + int(clock[1]) // 1000 - (before + after) // 2
    keys = await _some_keys(server, within)
    whose = Counter(_whose(key, names) for key in keys)
    others = {name.removeprefix("other:"): number for name, number in whose.items() if name.startswith("other:")}
    return StoreFacts(
        version=told.get("valkey_version") or told.get("redis_version"),
        milliseconds=tuple(took),
        skew=skew,
        policy=told.get("maxmemory_policy"),
        persistent=_persistent(told),
        used=_number(told, "used_memory"),
        most=_number(told, "maxmemory") or None,
        clients=_number(told, "connected_clients"),
        most_clients=_number(told, "maxclients"),
        scanned=len(keys),
        ours=whose["ours"],
        other_environments=others,
        foreign=whose["foreign"],
        strangers=whose["stranger"],
    )


async def _one(server: Server, command: tuple[str, ...], within: timedelta) -> object:
    """The reply to *command*; None where the host refuses it."""
    (reply,) = await server.replies(command, within=within)
    return None if isinstance(reply, ResponseError) else reply


async def _some_keys(server: Server, within: timedelta) -> set[str]:
    found: set[str] = set()
    cursor = "0"
    for _ in range(_PAGES):
        reply = await _one(server, ("SCAN", cursor, "COUNT", str(_A_PAGE)), within)
        if not isinstance(reply, (list, tuple)):
            break
        cursor = reply[0].decode()
        found.update(key.decode(errors="replace") for key in reply[1])
        if cursor == "0":
            break
    return found


def _whose(key: str, names: Names) -> str:
    """`ours`, `stranger` (under our prefix, and none of ours), `other:<environment>`, or `foreign`."""
    if key.startswith(names.prefix):
        rest = key.removeprefix(names.prefix)
        entry = names.prefix + rest.removesuffix(":claim").removesuffix(":forgotten")
        return "ours" if rest.startswith(_OURS) or names.parse(entry) is not None else "stranger"
    family, _, rest = key.partition(":")
    environment, colon, _ = rest.partition(":")
    return f"other:{environment}" if family == names.prefix.partition(":")[0] and colon else "foreign"


def _fields(text: object) -> Mapping[str, str]:
    """The lines of INFO."""
    if not isinstance(text, bytes):
        return {}
    pairs = (line.partition(":") for line in text.decode(errors="replace").splitlines())
    return {name: value.strip() for name, colon, value in pairs if colon}


def _number(told: Mapping[str, str], name: str) -> int | None:
    value = told.get(name, "")
    return int(value) if value.isdecimal() else None


def _persistent(told: Mapping[str, str]) -> bool | None:
    """It appends to a file, or saves snapshots now and then; None where it does not say."""
    if "aof_enabled" not in told:
        return None
    return told["aof_enabled"] == "1" or (_number(told, "rdb_last_save_time") not in (None, 0) and _saves(told))


def _saves(told: Mapping[str, str]) -> bool:
    """Whether a snapshot was ever made: INFO tells no schedule, and the time of the last save begins as the start's."""
    return (_number(told, "rdb_saves") or 0) > 0
