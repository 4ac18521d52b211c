"""Servers for the tests of single stores."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.harness.cluster import ValkeyCluster
from tests.harness.valkey import redis_url, valkey

__all__ = ["cluster", "redis_url", "valkey"]


@pytest.fixture(scope="session")
def cluster() -> Iterator[ValkeyCluster]:
    """Three masters and a replica of one, which serve what they have when one is gone; each test leaves it whole."""
    silence = timedelta(milliseconds=700)
    with ValkeyCluster(replicas=1, silence=silence, cluster_require_full_coverage="no") as cluster:
        yield cluster
