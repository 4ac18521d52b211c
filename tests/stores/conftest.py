"""Servers for the tests of single stores."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.harness.cluster import ValkeyCluster
from tests.harness.on_redis import steady
from tests.harness.tls import Authority
from tests.harness.valkey import redis_url, valkey

__all__ = ["cluster", "redis_url", "steady", "valkey"]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who vouches for the server."""
    return Authority(tmp_path)


@pytest.fixture(scope="session")
def cluster() -> Iterator[ValkeyCluster]:
    """Three masters and a replica of one, which serve what they have when one is gone; each test leaves it whole."""
    silence = timedelta(milliseconds=700)
    with ValkeyCluster(replicas=1, silence=silence, cluster_require_full_coverage="no") as cluster:
        yield cluster
