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
from collections.abc import Callable, Mapping
from datetime import timedelta
from ssl import SSLContext
from typing import Any, Protocol
from urllib.parse import urlsplit

from hashcache.core.content import Kind
from hashcache.core.entry import Instant
from hashcache.core.envelope import Envelope
from hashcache.core.errors import SettingsError
from hashcache.core.key import Names
from hashcache.core.secret import Secret, Unsigned
from hashcache.ports import (
    Accounts,
    Channel,
    Ledger,
    Outbox,
    Postman,
    Process,
    Provider,
    Rules,
    Sessions,
    Store,
    StoreFacts,
)
from hashcache.postman import HttpPostman
from hashcache.providers.access import Access
from hashcache.providers.aiornot import AiOrNotProvider
from hashcache.providers.generic import GenericProvider
from hashcache.providers.gptzero import GptZeroProvider
from hashcache.providers.hive import HiveProvider
from hashcache.providers.provenance.provider import ProvenanceProvider
from hashcache.providers.reality_defender import RealityDefenderProvider
from hashcache.providers.sightengine import SightengineProvider
from hashcache.providers.trust import trusted
from hashcache.settings import Generic, Settings, Vendor
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
    """A store with its channel, ledger, accounts, outbox and sessions: what the processes of a fleet share."""

    @property
    def channel(self) -> Channel:
        """Between the processes that share it."""
        ...

    @property
    def ledger(self) -> Ledger:
        """Their books."""
        ...

    @property
    def accounts(self) -> Accounts:
        """Their money."""
        ...

    @property
    def outbox(self) -> Outbox:
        """What they have promised to send."""
        ...

    @property
    def sessions(self) -> Sessions:
        """Who has signed in."""
        ...


def token() -> str:
    """A name that nobody guesses."""
    return os.urandom(16).hex()


def secret() -> str:
    """256 random bits, as text."""
    return secrets.token_urlsafe(32)


def process(role: str, version: str) -> Process:
    """This process, as the fleet will know it."""
    now = clock()
    return Process(token()[:8], socket.gethostname()[:64], os.getpid(), role, version, started=now, seen=now)


def nonce() -> bytes:
    """What is used once, with one key."""
    return secrets.token_bytes(12)  # 96 bits, as NIST SP 800-38D recommends for AES-GCM


def chance() -> float:
    """A number in [0, 1): for jitter, never for secrets."""
    return random.random()  # noqa: S311 - see above


def clock() -> Instant:
    """This machine's clock, in milliseconds since 1970: where no server tells the time."""
    return Instant(time.time_ns() // 1_000_000)


def quiet(settings: Settings) -> timedelta:
    """How long a process that has nothing to do may say nothing: longer where each word is billed."""
    return timedelta(minutes=5) if is_billed(settings) else timedelta(seconds=6)


def is_billed(settings: Settings) -> bool:
    """Whether each command to the store costs money, or is one of so many."""
    direct = settings.store.startswith(("redis:", "rediss:"))
    hosted = direct and (urlsplit(settings.store).hostname or "").endswith(".upstash.io")
    return hosted or settings.redis_monthly_commands is not None


def store(settings: Settings, clock: Callable[[], Instant] = clock) -> Shared:
    """
    The store of *settings*, not opened yet, on *clock* where no server tells the time.

    Raises:
        SettingsError: its URL names nothing that we know.
    """
    names = Names(settings.environment)
    envelope = Envelope(
        tuple(map(Secret.derive, settings.secrets)),
        most=settings.max_entry,
        nonce=nonce if settings.encrypt else None,
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


async def examine(opened: Store) -> StoreFacts | None:
    """
    What the server of a store that is *opened* tells an operator; None where there is no single one to ask.

    Raises:
        StoreUnavailable: it does not answer.
    """
    return await opened.examine() if isinstance(opened, RedisStore) else None


def providers(settings: Settings) -> Mapping[Kind, list[Provider]]:
    """The providers of each kind, in order of preference; each one is made once."""
    made: dict[str, Provider] = {}
    tls = trusted() if settings.paid else None
    return {
        kind: [_provider(name, settings, made, tls) for name in names] for kind, names in settings.providers.items()
    }


def postman() -> Postman:
    """Who carries webhooks."""
    return HttpPostman(trusted)


def rules(settings: Settings) -> Rules:
    """When no paid call is let through."""
    pause = settings.provider_pause
    return Rules(pause=pause, denied_pause=6 * pause, tries=2 if settings.unknown_outcome == "buy" else 1)


def _provider(name: str, settings: Settings, made: dict[str, Provider], tls: SSLContext | None) -> Provider:
    if name not in made:
        made[name] = provider(name, settings, tls)
    return made[name]


def provider(name: str, settings: Settings, tls: SSLContext | None = None) -> Provider:
    """
    The provider called *name*, with nothing opened yet. *tls*: whom to trust; None: found out when it is needed.

    Raises:
        SettingsError: it is not configured.
    """
    if name == "provenance":
        return ProvenanceProvider(clock=clock)
    if name == "generic" and settings.generic is not None:
        return _generic(settings.generic, settings, tls)
    vendor = settings.vendors.get(name)
    if vendor is None:
        raise SettingsError(f"the provider {name!r} is not configured")
    return _vendor(name, _access(vendor, settings, tls), vendor.options)


def _vendor(name: str, access: Access, options: Mapping[str, Any]) -> Provider:
    match name:
        case "sightengine":
            return SightengineProvider(access, clock=clock, random=chance)
        case "hive":
            return HiveProvider(access, clock=clock, random=chance)
        case "aiornot":
            return AiOrNotProvider(access, clock=clock, random=chance)
        case "gptzero":
            return GptZeroProvider(
                access,
                clock=clock,
                random=chance,
                multilingual=options.get("multilingual", False),
                model_version=options.get("model_version"),
            )
        case "reality_defender":
            return RealityDefenderProvider(access, clock=clock, random=chance)
    raise SettingsError(f"the provider {name!r} is not known")


def _access(vendor: Vendor, settings: Settings, tls: SSLContext | None) -> Access:
    return Access(
        url=vendor.url.rstrip("/"),
        key=vendor.key,
        user=vendor.user,
        price=vendor.price,
        timeout=vendor.timeout or settings.provider_timeout,
        video_timeout=vendor.timeout or settings.video_timeout,
        concurrency=vendor.concurrency,
        ai_above=vendor.ai_above,
        most_bytes=vendor.most_bytes,
        most_seconds=vendor.most_seconds,
        most_characters=vendor.most_characters,
        tls=tls,
    )


def _generic(generic: Generic, settings: Settings, tls: SSLContext | None) -> Provider:
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
        tls=tls,
    )
