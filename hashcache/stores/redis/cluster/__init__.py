"""The same store on a Redis or Valkey Cluster."""

from hashcache.stores.redis.cluster.store import ClusterStore

__all__ = ["ClusterStore"]
