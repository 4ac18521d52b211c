"""What a store works on: the other side, its channel and its catalogue, made from a URL and the store's terms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from hashcache.core.key import Names
from hashcache.stores.hearing import Pace
from hashcache.stores.redis.catalogue import Catalogue
from hashcache.stores.redis.channel import RedisChannel
from hashcache.stores.redis.clock import ServerClock
from hashcache.stores.redis.remote import Remote
from hashcache.stores.redis.sentinels import reach
from hashcache.stores.redis.server import Server
from hashcache.stores.sealing import Sealing


@dataclass(frozen=True, slots=True)
class Terms:
    """How a store deals with the other side; the names are those of RedisStore."""

    names: Names
    sealing: Sealing
    connections: int
    patience: timedelta
    clock: ServerClock
    monotonic: Callable[[], float]
    chance: Callable[[], float]
    pace: Pace


@dataclass(frozen=True, slots=True)
class Reach:
    """*lasting* is asked for what must not be lost when a server is replaced by its replica, *server* for the rest."""

    server: Remote
    lasting: Remote
    channel: RedisChannel
    catalogue: Catalogue


def reach_server(url: str, ca_file: str | None, terms: Terms) -> Reach:
    """The one server that *url* names, or that sentinels name; raises SettingsError as `sentinels.reach`."""
    address = reach(url, ca_file)
    server = Server(
        address,
        connections=terms.connections,
        patience=terms.patience,
        clock=terms.clock,
        monotonic=terms.monotonic,
        chance=terms.chance,
    )
    channel = RedisChannel(
        address,
        server,
        terms.names,
        now=terms.clock.now,
        monotonic=terms.monotonic,
        chance=terms.chance,
        patience=terms.patience,
        pace=terms.pace,
    )
    catalogue = Catalogue(server, terms.names, terms.sealing, terms.patience, terms.monotonic)
    return Reach(server, server, channel, catalogue)
