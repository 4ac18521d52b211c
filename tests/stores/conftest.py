"""Servers for the tests of single stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.on_redis import steady
from tests.harness.tls import Authority
from tests.harness.valkey import redis_url, valkey

__all__ = ["redis_url", "steady", "valkey"]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who vouches for the server."""
    return Authority(tmp_path)
