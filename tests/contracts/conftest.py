"""What the contract suite runs on: each store, in an environment of its own."""

from __future__ import annotations

from tests.harness.valkey import redis_url

__all__ = ["redis_url"]
