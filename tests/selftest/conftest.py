"""A server for the tests of the harness itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.valkey import Valkey


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The harness proves itself where it is put to hard use: with `make prove`."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.prove)


@pytest.fixture(scope="session")
def server() -> Iterator[Valkey]:
    """One server; each test uses keys and channels of its own."""
    with Valkey() as valkey:
        yield valkey
