"""
A `redis+cluster://` or `rediss+cluster://` URL: as whom, and at which nodes the others are asked for.

Rule: what holds for the URL of one server (`address`) holds for each seed: TLS is verified, no message repeats a URL.
"""

from __future__ import annotations

from dataclasses import replace

from hashcache.core.errors import SettingsError
from hashcache.stores.redis.address import Address

SCHEMES = ("redis+cluster://", "rediss+cluster://")
_SHAPE = "must be redis+cluster://user:password@host:port,host:port, or rediss+cluster://... for TLS"


def seeds_of(url: str, ca_file: str | None = None) -> tuple[Address, ...]:
    """
    The nodes that *url* names, all with one user and one TLS context; *ca_file* as in `Address.parse`.

    Raises:
        SettingsError: not such a URL, another database than 0, or a *ca_file* that cannot be read.
    """
    scheme, _, rest = url.partition("+cluster://")
    where, _, database = rest.partition("/")
    who, at, hosts = where.rpartition("@")
    if scheme not in ("redis", "rediss") or not hosts or "?" in url or "#" in url:
        raise SettingsError(f"the Redis URL {_SHAPE}; it holds no options, and a password is percent-encoded")
    if database not in ("", "0"):
        raise SettingsError("a Redis Cluster has no database but 0: leave it out of the URL")
    try:
        seeds = tuple(Address.parse(f"{scheme}://{who}{at}{host}", ca_file) for host in hosts.split(","))
    except SettingsError as error:
        if "HASHCACHE_REDIS_CA" in str(error):
            raise
        raise SettingsError(f"the Redis URL {_SHAPE}; percent-encode the password") from None
    # Compared as a whole when the node to listen at is looked for: so all share one context.
    return tuple(replace(seed, tls=seeds[0].tls) for seed in seeds)
