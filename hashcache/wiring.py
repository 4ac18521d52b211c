"""
From settings to things: the only place that chooses a store or a provider.

Rule: nothing is connected or started here; whoever is given the things opens and closes them.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

from hashcache.core.content import Kind
from hashcache.core.entry import Instant
from hashcache.core.envelope import Envelope, Secret
from hashcache.core.errors import SettingsError
from hashcache.core.key import Names
from hashcache.ports import Ledger, Provider, Store
from hashcache.providers.generic import GenericProvider
from hashcache.providers.provenance.provider import ProvenanceProvider
from hashcache.settings import Settings
from hashcache.stores.memory import MemoryStore
from hashcache.stores.off import OffStore
from hashcache.stores.redis.store import RedisStore
from hashcache.stores.sqlite.store import SqliteStore

_MEMORY = 256 * 1024 * 1024


class StoreAndLedger(Store, Ledger, Protocol):
    """Entries and books in one place."""


def token() -> str:
    """A name that nobody guesses."""
    return secrets.token_hex(16)


def clock() -> Instant:
    """This machine's clock, in milliseconds since 1970: where no server tells the time."""
    return Instant(time.time_ns() // 1_000_000)


def store(settings: Settings) -> StoreAndLedger:
    """
    The store of *settings*, not opened yet.

    Raises:
        SettingsError: its URL names nothing that we know.
    """
    names = Names(settings.environment)
    envelope = Envelope(tuple(map(Secret.derive, settings.secrets)), most=settings.max_entry)
    url = settings.store
    if url == "off":
        return OffStore(clock=clock)
    scheme = urlsplit(url).scheme
    if scheme == "memory":
        return MemoryStore(names=names, envelope=envelope, clock=clock, most=_MEMORY)
    if scheme == "sqlite":
        return SqliteStore(path=url.removeprefix("sqlite:///"), names=names, envelope=envelope, clock=clock)
    if scheme in {"redis", "rediss"}:
        return RedisStore(
            url=url,
            names=names,
            envelope=envelope,
            connections=settings.redis_connections,
            ca_file=settings.redis_ca,
            most=settings.redis_max_memory,
            clock=clock,
        )
    raise SettingsError(f"{settings.store_from} names a store that is not supported yet: {scheme}://")


def providers(settings: Settings) -> Mapping[Kind, list[Provider]]:
    """The providers of each kind, in order of preference; each one is made once."""
    made: dict[str, Provider] = {}
    return {kind: [_provider(name, settings, made) for name in names] for kind, names in settings.providers.items()}


def _provider(name: str, settings: Settings, made: dict[str, Provider]) -> Provider:
    if name not in made:
        made[name] = _make(name, settings)
    return made[name]


def _make(name: str, settings: Settings) -> Provider:
    if name == "provenance":
        return ProvenanceProvider(clock=clock)
    generic = settings.generic
    if name != "generic" or generic is None:
        raise SettingsError(f"the provider {name!r} is not configured")
    return GenericProvider(
        url=generic.url,
        headers=generic.headers,
        file_field=generic.file_field,
        text_field=generic.text_field,
        score=generic.score,
        version=generic.version,
        ai_above=generic.ai_above,
        price=generic.price,
        timeout=generic.timeout or settings.provider_timeout,
        video_timeout=generic.timeout or settings.video_timeout,
        concurrency=generic.concurrency,
        clock=clock,
        random=random.random,
    )
