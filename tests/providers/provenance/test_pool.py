"""Child processes: few, killed at the deadline, replaced when they die, and none left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import psutil
import pytest

from hashcache.core.errors import ProviderFailed, ProviderInvalid, ProviderTimeout
from hashcache.core.result import Result
from hashcache.providers.provenance import pool
from hashcache.providers.provenance.pool import Limits
from hashcache.providers.provenance.provider import ProvenanceProvider
from tests.harness import media
from tests.harness.analysis import analysed, children
from tests.harness.clock import HandClock

#: Makes a provider with limits of a test's own, which is closed after it.
Maker = Callable[[Limits], ProvenanceProvider]
PNG = media.png_text("Software", "NovelAI")


async def test_parallel_analyses_share_few_children(provider: ProvenanceProvider) -> None:
    """Forty analyses at a time: each gets its own answer, from at most two children."""
    contents = [media.png_text("Software", "NovelAI" if n % 2 else "Paint") for n in range(40)]
    results = await asyncio.gather(*(analysed(provider, content) for content in contents))
    assert [result.verdict for result in results] == ["inconclusive", "ai_generated"] * 20
    assert len(children()) == 2


async def test_nothing_is_left_after_close() -> None:
    """No child before the first analysis; after `close` (twice) no child and no open descriptor more than before."""
    before = psutil.Process().num_fds()
    provider = ProvenanceProvider(clock=HandClock())
    assert not children()
    await analysed(provider, PNG)
    assert len(children()) == 1
    await provider.close()
    await provider.close()
    assert not children()
    assert psutil.Process().num_fds() == before
    with pytest.raises(ProviderFailed):
        await analysed(provider, PNG)


async def test_a_child_is_replaced_after_its_files(made: Maker) -> None:
    """A child that has read its number of files ends, and another takes over."""
    provider = made(Limits(files=2))
    seen = []
    for _ in range(4):
        await analysed(provider, PNG)
        seen.append([child.pid for child in children()])
    first, gone, second, gone_too = seen
    assert (gone, gone_too) == ([], [])
    assert first != second


async def test_the_deadline_kills_the_child_and_the_next_analysis_works(
    made: Maker,
) -> None:
    """A child that does not answer in time is killed: ProviderTimeout, no process left, the next file is read."""
    provider = made(Limits(children=1, deadline=timedelta(seconds=4)))
    await analysed(provider, PNG)
    (child,) = children()
    child.suspend()
    with pytest.raises(ProviderTimeout):
        await analysed(provider, PNG)
    assert not children()
    assert (await analysed(provider, PNG)).verdict == "ai_generated"


async def test_a_child_killed_in_the_middle_fails_one_analysis_only(provider: ProvenanceProvider) -> None:
    """SIGKILL from outside while a file is read: ProviderFailed, and the next analysis works."""
    await analysed(provider, PNG)
    (child,) = children()
    child.suspend()
    analysis = asyncio.create_task(analysed(provider, PNG))
    await asyncio.wait([analysis], timeout=0.2)
    child.kill()
    with pytest.raises(ProviderFailed, match="signal 9"):
        await analysis
    assert (await analysed(provider, PNG)).verdict == "ai_generated"


async def test_a_child_that_died_while_idle_fails_one_analysis_only(provider: ProvenanceProvider) -> None:
    """A child that somebody killed between two files: ProviderFailed once, then a new one works."""
    await analysed(provider, PNG)
    (child,) = children()
    child.kill()
    with pytest.raises(ProviderFailed):
        await analysed(provider, PNG)
    assert (await analysed(provider, PNG)).verdict == "ai_generated"


async def test_a_caller_who_leaves_leaves_no_child_busy(provider: ProvenanceProvider) -> None:
    """A cancelled analysis ends its child, which may be anywhere in native code; others are not disturbed."""
    await analysed(provider, PNG)
    (child,) = children()
    child.suspend()
    analysis = asyncio.create_task(analysed(provider, PNG))
    await asyncio.wait([analysis], timeout=0.2)
    analysis.cancel()
    with pytest.raises(asyncio.CancelledError):
        await analysis
    assert not children()
    assert (await analysed(provider, PNG)).verdict == "ai_generated"


async def test_closing_ends_analyses_under_way(made: Maker) -> None:
    """`close` while a file is read: the analysis fails, and no child is left."""
    provider = made(Limits(children=1))  # which hangs: nobody else finishes meanwhile
    await analysed(provider, PNG)
    children()[0].suspend()
    analyses = [asyncio.create_task(analysed(provider, PNG)) for _ in range(4)]
    await asyncio.wait(analyses, timeout=0.2)
    await provider.close()
    assert not children()
    outcomes = await asyncio.gather(*analyses, return_exceptions=True)
    assert all(isinstance(outcome, ProviderFailed) for outcome in outcomes), outcomes


#: A child that says it is ready, takes a file, and then does what a test asks for.
_STAND_IN = """
import os, signal, socket, sys
sys.path.insert(0, sys.argv[1])
from hashcache.providers.provenance import child, wire
from hashcache.providers.provenance.findings import Report, failed
channel = socket.socket(fileno=int(sys.argv[2]))
child._body(channel, child._exactly(channel, 4))
channel.sendall(wire.frame(wire.Ready(None)))
socket.recv_fds(channel, 4096, 1)
early = wire.frame(Report((failed("early", "found before"),), (), (), complete=False))
{act}
"""
_CRASH = "channel.sendall(early); os.kill(os.getpid(), signal.{})"


async def _with(act: str, provider: ProvenanceProvider, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.setattr(pool, "_START", _STAND_IN.replace("{act}", act))
    return await analysed(provider, PNG)


@pytest.mark.parametrize("name", ["SIGABRT", "SIGSEGV", "SIGXCPU"])
async def test_a_crash_of_native_code_is_evidence(
    name: str, provider: ProvenanceProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash that the bytes bring about would come again: what was found before stands, and the crash is said."""
    result = await _with(_CRASH.format(name), provider, monkeypatch)
    assert [one.value.partition(" (")[0] for one in result.evidence if one.signal == "analyser_error"] == [
        "found before",
        "the reader of the manifest crashed",
    ]
    assert not children()
    monkeypatch.undo()
    assert (await analysed(provider, PNG)).verdict == "ai_generated", "a new child takes over"


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (_CRASH.format("SIGKILL"), ProviderFailed),  # the system's memory killer, or a person: no fault of the bytes
        ("os.kill(os.getpid(), signal.SIGABRT)", ProviderFailed),
        ("channel.sendall(early); os._exit(0)", ProviderFailed),
        ("channel.sendall(b'nonsense' * 4)", ProviderInvalid),
        ("channel.sendall(bytes((0, 0, 0, 2)) + b'{}')", ProviderInvalid),
        ("channel.sendall(bytes((0, 0, 0, 9)) + b'{\"find')", ProviderFailed),
    ],
)
async def test_what_is_no_report_fails(
    act: str, error: type[Exception], provider: ProvenanceProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that dies without an excuse, or speaks nonsense, gives no answer; and none of it is left behind."""
    with pytest.raises(error):
        await _with(act, provider, monkeypatch)
    assert not children()


async def test_a_child_that_cannot_start_is_a_failure(
    provider: ProvenanceProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that ends before it is ready: ProviderFailed, with its exit code."""
    monkeypatch.setattr(pool, "_START", "raise SystemExit(3)")
    with pytest.raises(ProviderFailed, match="exit code 3"):
        await analysed(provider, PNG)
