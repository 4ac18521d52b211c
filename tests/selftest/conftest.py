"""A server for the tests of the harness itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.valkey import Valkey


@pytest.fixture(scope="session")
def server() -> Iterator[Valkey]:
    """One server; each test uses keys and channels of its own."""
    with Valkey() as valkey:
        yield valkey
