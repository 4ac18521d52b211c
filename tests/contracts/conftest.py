"""What the contract suite runs on: each store, in an environment of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.cluster import ValkeyCluster
from tests.harness.valkey import redis_url

__all__ = ["cluster", "redis_url"]


@pytest.fixture(scope="session")
def cluster() -> Iterator[ValkeyCluster]:
    """Three masters and a replica, as long as the test session."""
    with ValkeyCluster(replicas=1) as cluster:
        yield cluster
