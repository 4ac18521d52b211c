"""Servers for the tests of single stores."""

from __future__ import annotations

from tests.harness.valkey import redis_url, valkey

__all__ = ["redis_url", "valkey"]
