"""
From settings to things: the only place that chooses a store or a provider.

Rule: nothing is connected or started here; whoever is given the things opens and closes them.
"""

from __future__ import annotations

import os
import random
import secrets
import socket
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol
from urllib.parse import urlsplit

from hashcache.core.content import Kind
from hashcache.core.entry import Instant
from hashcache.core.envelope import Envelope
from hashcache.core.errors import SettingsError
from hashcache.core.key import Names
from hashcache.core.secret import Secret, Unsigned
from hashcache.ports import Channel, Ledger, Process, Provider, Store
from hashcache.providers.generic import GenericProvider
from hashcache.providers.provenance.provider import ProvenanceProvider
from hashcache.settings import Settings
from hashcache.stores.memory import MemoryStore
from hashcache.stores.off import OffStore
from hashcache.stores.redis.cluster import ClusterStore
from hashcache.stores.redis.store import RedisStore
from hashcache.stores.sqlite.store import SqliteStore

_MEMORY = 256 * 1024 * 1024
_ON_REDIS = {
    "redis": RedisStore,
    "rediss": RedisStore,
    "redis+sentinel": RedisStore,
    "rediss+sentinel": RedisStore,
    "redis+cluster": ClusterStore,
    "rediss+cluster": ClusterStore,
}


class Shared(Store, Protocol):
    """A store with its channel and its ledger: what the processes of a fleet share."""

    @property
    def channel(self) -> Channel:
        """Between the processes that share it."""
        ...

    @property
    def ledger(self) -> Ledger:
        """Their books."""
        ...


def token() -> str:
    """A name that nobody guesses."""
    return secrets.token_hex(16)


def process(role: str, version: str) -> Process:
    """This process, as the fleet will know it."""
    now = clock()
    return Process(token()[:8], socket.gethostname()[:64], os.getpid(), role, version, started=now, seen=now)


def _nonce() -> bytes:
    return secrets.token_bytes(12)  # 96 bits, as NIST SP 800-38D recommends for AES-GCM


def chance() -> float:
    """A number in [0, 1): for jitter, never for secrets."""
    return random.random()  # noqa: S311 - see above


def clock() -> Instant:
    """This machine's clock, in milliseconds since 1970: where no server tells the time."""
    return Instant(time.time_ns() // 1_000_000)


def quiet(settings: Settings) -> timedelta:
    """How long a process that has nothing to do may say nothing: longer where each word is billed."""
    direct = settings.store.startswith(("redis:", "rediss:"))
    hosted = direct and (urlsplit(settings.store).hostname or "").endswith(".upstash.io")
    billed = hosted or settings.redis_monthly_commands is not None
    return timedelta(minutes=5) if billed else timedelta(seconds=6)


def store(settings: Settings) -> Shared:
    """
    The store of *settings*, not opened yet.

    Raises:
        SettingsError: its URL names nothing that we know.
    """
    names = Names(settings.environment)
    envelope = Envelope(
        tuple(map(Secret.derive, settings.secrets)),
        most=settings.max_entry,
        nonce=_nonce if settings.encrypt else None,
        unsigned=Unsigned(settings.unsigned_until, clock) if settings.unsigned_until is not None else None,
    )
    url = settings.store
    if url == "off":
        return OffStore(clock=clock)
    scheme = url.partition(":")[0]
    if scheme == "memory":
        return MemoryStore(names=names, envelope=envelope, clock=clock, most=_MEMORY)
    if scheme == "sqlite":
        return SqliteStore(path=url.removeprefix("sqlite:///"), names=names, envelope=envelope, clock=clock)
    if scheme in _ON_REDIS:
        return _ON_REDIS[scheme](
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
        random=chance,
    )
