"""
All settings of one process, read and checked: what the rest of the house is given.

Rule 1: frozen; whoever wants another value makes another Settings.
Rule 2: sizes are bytes, durations are `timedelta`, instants milliseconds since 1970, money is micro-dollars; no text
        is left to be parsed.
Rule 3: repr shows no secret.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hashcache.core.budget import Budget
from hashcache.core.content import Kind
from hashcache.core.entry import Instant
from hashcache.core.errors import SettingsError
from hashcache.core.money import FREE, MicroDollars
from hashcache.core.target import Origin
from hashcache.settings.alerting import Thresholds
from hashcache.settings.credentials import ApiKey

#: The provider that costs nothing, and what a kind gets when nobody chose.
FREE_PROVIDER = "provenance"


@dataclass(frozen=True, slots=True)
class Generic:
    """
    A paid HTTP API. *score* and *version* are JSON Pointers into its answer (None: it has none);
    a score of *ai_above* or more means AI. *timeout*: None means the kind's. *concurrency*: calls at a time.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    file_field: str = "file"
    text_field: str = "text"
    score: str | None = None
    version: str | None = None
    ai_above: float = 0.5
    price: MicroDollars = FREE
    timeout: timedelta | None = None
    concurrency: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """
    An account at one of the vendors that we know, and what the operator says of it: see `providers.access.Access`.
    *timeout*: None means the kind's. *options* are its own knobs, by their names.
    """

    key: str = field(repr=False)
    user: str = field(default="", repr=False)
    url: str
    price: MicroDollars
    timeout: timedelta | None
    concurrency: int
    ai_above: float
    most_bytes: int | None
    most_seconds: int | None = None
    most_characters: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    Every knob. `docs/settings.md` says what each is for; the names there are `KNOBS`' names.

    *store* is one URL, `off`, or `memory://`; *store_from* is the variable that it came from, or `default`.
    *secrets*: the newest first; it signs. *unsigned_until*: before that, entries without a signature are accepted
    beside signed ones; None: they are not. *providers*: of each kind, in order of fallback, never empty. *vendors*:
    the accounts that are complete, by name. *epochs*: by provider, those that are not 0. *unknown_outcome*: `buy` or
    `fail`. *redis_commands_price*: of 100,000 commands. *webhook_origins*: where they may go; empty: there are none.
    """

    environment: str
    store: str = field(repr=False)
    store_from: str
    redis_connections: int
    redis_ca: str | None
    redis_max_memory: int | None
    redis_monthly_commands: int | None
    near_bytes: int
    max_entry: int
    secrets: tuple[str, ...] = field(repr=False)
    unsigned_until: Instant | None
    encrypt: bool
    providers: Mapping[Kind, tuple[str, ...]]
    generic: Generic | None
    vendors: Mapping[str, Vendor]
    epochs: Mapping[str, int]
    budgets: tuple[Budget, ...]
    unknown_outcome: str
    redis_price: MicroDollars
    redis_commands_price: MicroDollars
    provider_timeout: timedelta
    video_timeout: timedelta
    provider_pause: timedelta
    media_ttl: timedelta
    text_ttl: timedelta
    max_upload: int
    max_text: int
    upload_budget: int
    upload_idle: timedelta
    upload_rate: int
    spool_dir: str | None
    lease: timedelta
    grace: timedelta
    webhook_origins: tuple[Origin, ...]
    webhook_secrets: tuple[bytes, ...] = field(repr=False)
    webhook_waiting: int
    webhook_tenant_waiting: int
    host: str | None
    port: int
    workers: int
    public: bool
    api_keys: tuple[ApiKey, ...]
    admin_token: str | None = field(repr=False)
    behind_proxy: bool
    session_idle: timedelta
    session_life: timedelta
    alerts: Thresholds

    @property
    def paid(self) -> bool:
        """Whether an upload can cost money: some kind uses a provider other than the embedded one."""
        return any(name != FREE_PROVIDER for names in self.providers.values() for name in names)

    def check_address(self, host: str) -> None:
        """
        Whether a server may listen on *host*: strangers must not spend the operator's money.

        Raises:
            SettingsError: anybody who reaches *host* could buy; the message says what to do.
        """
        if self.paid and not self.api_keys and not self.public and not is_loopback(host):
            raise SettingsError(
                f"everybody who reaches {host or 'this machine'} could spend your money: a paid provider is set and "
                "there are no API keys. Set HASHCACHE_API_KEYS (`hashcache keys new` makes one), listen on 127.0.0.1, "
                "or set HASHCACHE_PUBLIC=1 if that is what you want"
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches *host*. No name is looked up: of names only `localhost` is (RFC 6761)."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
