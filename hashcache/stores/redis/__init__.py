"""The shared store: a Redis or Valkey server, with or without TLS."""

from hashcache.stores.redis.store import RedisStore

__all__ = ["RedisStore"]
