"""What the tests of the embedded analysis share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from hashcache.providers.provenance.pool import Limits
from hashcache.providers.provenance.provider import ProvenanceProvider
from tests.harness.clock import HandClock
from tests.harness.signatory import Signatory


@pytest.fixture(scope="session")
def signatory() -> Signatory:
    """Somebody whose certificate is on no trust list."""
    return Signatory.make()


@pytest.fixture
async def provider() -> AsyncIterator[ProvenanceProvider]:
    """The provider as the service makes it; closed afterwards."""
    made = ProvenanceProvider(clock=HandClock())
    yield made
    await made.close()


@pytest.fixture
async def made() -> AsyncIterator[Callable[[Limits], ProvenanceProvider]]:
    """Makes providers with limits of a test's own; all are closed afterwards."""
    providers: list[ProvenanceProvider] = []

    def make(limits: Limits) -> ProvenanceProvider:
        providers.append(ProvenanceProvider(clock=HandClock(), limits=limits))
        return providers[-1]

    yield make
    for provider in providers:
        await provider.close()
