"""The benchmark's own parts: a figure that is computed wrongly would be worse than none."""

from __future__ import annotations

import asyncio
import json
import math
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.compare import goals, wire
from loadtests.compare.arrivals import Loop
from loadtests.compare.cells import CONTENDERS, NAMED, SIZES, Cell, cells, objection
from loadtests.compare.contenders import ceiling
from loadtests.compare.entries import Size
from loadtests.compare.figures import Figure, percentile, ratio, shown, table
from loadtests.compare.goals import Goal
from loadtests.compare.published import HEADING, PUBLISHED, publish
from loadtests.compare.report import render
from loadtests.compare.results import Measurement, Results
from loadtests.compare.running import CannotTry, Wrong
from loadtests.compare.sink import sink
from loadtests.compare.vendor import ANSWER
from loadtests.compare.wire import Answer
from loadtests.compare.wrk import Told, parse
from tests.harness.vendor import ScriptedVendor, ok, status

TOLD = "figures requests={} microseconds=3000000 connect=0 read=0 write=0 status={} timeout=0 p50=1500 p99=9000\n"


def test_what_wrk_tells_is_read() -> None:
    """Its line among others: a rate a second, latencies in milliseconds."""
    told = parse("Running 3s test\n" + TOLD.format(6000, 0) + "Transfer/sec: 1MB\n")
    assert told == Told(6000, 3.0, 1.5, 9.0)
    assert told.rate == 2000


@pytest.mark.parametrize("printed", ["", "Requests/sec: 2000\n", TOLD.format(6000, 1)])
def test_a_failed_request_leaves_no_figure(printed: str) -> None:
    """Neither does a line that is missing."""
    with pytest.raises(Wrong):
        parse(printed)


def test_a_ratio_is_taken_round_by_round() -> None:
    """A round that was slow for both does not change it; what was not measured has none."""
    assert ratio([300, 30, 330], [100, 10, 100]) == Figure(3.0, 3.0, 3.3)
    assert ratio([], [100]) is None
    assert ratio([100], [0]) is None


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_one_that_so_many_do_not_exceed(measured: list[float], share: float) -> None:
    """The smallest such (nearest rank)."""
    found = percentile(measured, share)
    assert found in measured
    assert sum(one <= found for one in measured) >= share * len(measured) - 1e-9
    assert sum(one < found for one in measured) < share * len(measured) + 1e-9
    assert math.isnan(percentile([], share))


@pytest.mark.parametrize(
    ("number", "written"),
    [(0.0123456, "0.0123"), (0.5, "0.500"), (2.345, "2.35"), (48.21, "48.2"), (12345.6, "12,346"), (0, "0")],
)
def test_three_digits_are_shown(number: float, written: str) -> None:
    """No powers of ten, no digit that was not measured."""
    assert shown(number) == written


def test_a_table_is_markdown() -> None:
    """A head, a rule and a line for each row."""
    assert table(("a", "b"), [["1", "2"]]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"


@pytest.mark.parametrize(
    ("measured", "stands"),
    [
        (3.0, "held; the goal too"),
        (2.72, "held; short of the goal by 9.33 %"),
        (2.5, "held; short of the goal by 16.7 %"),
        (2.0, "**short** of the floor by 20.0 %"),
    ],
)
def test_a_goal_says_what_is_missing(measured: float, stands: str) -> None:
    """In per cent of what was wanted; the limit itself holds."""
    assert Goal("near hit", 2.5, 3.0).stands(measured) == stands


def test_a_limit_is_held_from_below() -> None:
    """Where less is better, more is short; without a goal there is only the floor."""
    limit = Goal("time added", 10, 5, unit="%", most=True)
    assert limit.stands(4) == "held; the goal too"
    assert limit.stands(6) == "held; short of the goal by 20.0 %"
    assert limit.stands(12) == "**short** of the floor by 20.0 %"
    assert Goal("seed", 203).stands(204) == "held"


def measurement(rate: float, *, load: float = 0.5, server: float = 1.0) -> Measurement:
    """A burst at *rate*."""
    return Measurement(rate, rate * 1.02, server, load, 1.0, 2.0, 1.0)


def everything() -> Results:
    """Two rounds of all that is measured: hashcache three times as fast as FastAPI, everybody at every size."""
    results = Results(arrivals=500)
    for name in CONTENDERS:
        for size in (*SIZES, NAMED):
            factor = {"fastapi": 1, "nginx": 2, "ceiling": 4}.get(name, 3)
            results.cells[name, size] = [measurement(100 * factor), measurement(50 * factor)]
    results.miss = [(50, 52, 6), (50, 53, 6)]
    results.hit = [2.0, 2.0]
    results.sources = {610: [610, 611], 450: [451, 450], 380: [380, 381]}
    results.open = [(3.0, 2.0), (5.0, 2.0)]
    results.sizes = [Size("hive", 6000, 2400), Size("aiornot", 2000, 1000), Size("gptzero", 3000, 600)]
    return results


def test_every_promise_has_its_row() -> None:
    """Twenty of them; with everything measured, each has a median, and those that one can reckon are right."""
    rows = {figure: rest for figure, *rest in goals.rows(everything())}
    assert len(rows) == 20
    assert not [figure for figure, rest in rows.items() if rest[-1] == "not measured"]
    near = rows["near hit, against FastAPI + Redis, 100KB"]
    assert near == ["2.5 x", "3 x", "3.00 x", "3.00 to 3.00", "held; the goal too"]
    assert rows["near hit, against the ceiling, 100KB"][2] == "0.750 x"
    miss = rows["time added to a miss, 100KB, provider of 50 ms"]
    assert miss == ["at most 10 %", "at most 5 %", "5.00 %", "4.00 to 6.00", "held; the goal too"]
    assert rows["bytes in the store per entry, against the same as JSON"][2:4] == ["0.400 x", "0.200 to 0.500"]
    assert rows["hash-first GET, p99 at half its saturating rate, against the ceiling's"][2] == "2.00 x"


def test_what_was_not_measured_is_said() -> None:
    """A run of one contender still tells every promise, and invents no figure."""
    results = Results()
    results.cells["near", "100KB"] = [measurement(100)]
    rows = goals.rows(results)
    assert len(rows) == 20
    assert {row[-1] for row in rows} == {"not measured"}
    assert "hashcache, near hit | 100KB | 100 |" in render(results, [("commit", "0" * 10)])


def test_a_report_holds_all_of_it() -> None:
    """Facts, notes, and the promises last; lines of one table have one number of columns."""
    results = everything()
    results.notes.append("nginx + Lua + Redis is left out: it is not installed.")
    report = render(results, [("commit", "abc")])
    assert "| commit | abc |" in report
    assert "> nginx + Lua + Redis is left out" in report
    assert "load generator was at its limit" not in report
    assert report.rindex("###") == report.index("### Promises")
    for part in report.split("\n\n"):
        if part.startswith("|"):
            assert len({line.count("|") for line in part.splitlines()}) == 1, part


def test_a_rate_that_is_not_the_contenders_own_is_marked() -> None:
    """A load generator at its limit, and a server that shared its core, are named with the cell."""
    results = Results()
    results.cells["nginx", "1KB"] = [measurement(100, load=0.97, server=0.5)]
    results.cells["near", "1KB"] = [measurement(100, server=0.5)]
    report = render(results, [])
    assert "may be its own: nginx + Lua + Redis at 1KB." in report
    assert "waited for others: hashcache, near hit at 1KB." in report


def test_contents_are_what_they_claim() -> None:
    """The smallest is a text, others are pictures; each number another, the same in every run."""
    small, large = wire.content(1_000), wire.content(100_000)
    assert (len(small.raw), len(large.raw)) == (1_000, 100_000)
    assert small.raw.decode().isprintable()
    assert large.raw.startswith(b"\xff\xd8\xff")
    assert wire.content(100_000, 1) != large == wire.content(100_000)


def test_cells_of_one_size_follow_one_another() -> None:
    """Whom only one size concerns is there once; uploads of one size are the same bytes for all."""
    found = cells(["fastapi", "near", "near2", "get"], ["1KB", "100KB"])
    assert [(cell.name, cell.size) for cell in found] == [
        ("fastapi", "1KB"),
        ("near", "1KB"),
        ("fastapi", "100KB"),
        ("near", "100KB"),
        ("near2", "100KB"),
        ("get", NAMED),
    ]
    assert found[0].request(found[0].contents[0]) == found[1].request(found[1].contents[0])


def test_requests_lie_in_a_file_one_after_another(tmp_path: Path) -> None:
    """All have the size that is told, whatever they upload or name."""
    for cell in cells(["near", "get", "put"], ["1KB"]):
        file, size = cell.requests(tmp_path)
        raw = file.read_bytes()
        assert [raw[at : at + size] for at in range(0, len(raw), size)] == [*map(cell.request, cell.contents)]


NEAR, STORE, OTHER = (Cell(name, "1KB", (wire.content(1_000),)) for name in ("near", "store", "fastapi"))
ONE = NEAR.contents[0]
CEILING = Cell("ceiling", "1KB", (ONE,))
LENGTH = str(len(NEAR.request(ONE).partition(b"\r\n\r\n")[2]))
RESULT = {"answer": json.loads(ANSWER)}


def hit(detail: str = "near", *, code: int = 200, sha256: str = ONE.sha256, result: object = RESULT) -> Answer:
    """A hit as hashcache answers."""
    body = json.dumps({"cached": True, "sha256": sha256, "result": result}).encode()
    return Answer(code, {"x-cache": "HIT", "cache-status": f"hashcache; hit; ttl=9; detail={detail}"}, body)


def test_the_right_answer_is_accepted() -> None:
    """From near memory, from the store, and from the others."""
    assert objection(NEAR, ONE, hit()) is None
    assert objection(STORE, ONE, hit("store")) is None
    assert objection(OTHER, ONE, hit(result=json.loads(ANSWER))) is None
    assert objection(CEILING, ONE, Answer(200, {"x-received": LENGTH}, ceiling.ANSWER)) is None


@pytest.mark.parametrize(
    ("cell", "answer"),
    [
        (NEAR, hit("store")),
        (STORE, hit("near")),
        (NEAR, hit(code=202)),
        (NEAR, hit(sha256="0" * 64)),
        (NEAR, hit(result={"answer": {}})),
        (NEAR, Answer(200, {"x-cache": "MISS"}, hit().body)),
        (OTHER, hit()),
        (CEILING, Answer(200, {"x-received": LENGTH}, b"{}")),
        (CEILING, Answer(200, {"x-received": "999"}, ceiling.ANSWER)),
        (CEILING, Answer(200, {}, ceiling.ANSWER)),
    ],
)
def test_a_wrong_answer_is_found(cell: Cell, answer: Answer) -> None:
    """Another status, content, result or place than what is measured."""
    assert objection(cell, ONE, answer)


def test_results_are_published_in_their_place(tmp_path: Path) -> None:
    """What is above the heading stays, what is below is replaced; a page without it is left alone."""
    page = tmp_path / "page.md"
    page.write_text(f"# Benchmarks\n\n{HEADING}\n\nOld.\n", "utf-8")
    publish(page, "New.\n")
    assert page.read_text("utf-8") == f"# Benchmarks\n\n{HEADING}\n\nNew.\n"
    page.write_text("# Benchmarks\n", "utf-8")
    with pytest.raises(CannotTry):
        publish(page, "New.\n")
    assert f"\n{HEADING}\n" in PUBLISHED.read_text("utf-8")


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ([b"one", b"two", b"one"], None),
        ([], "no request of 3 bytes arrived whole"),
        ([b"on"], "no request of 3 bytes arrived whole"),
        ([b"one", b"twx"], "of 2 requests that were sent 1 are not those that were meant"),
        ([b"two\0", b"ne"], "of 2 requests that were sent 1 are not those that were meant"),
    ],
)
def test_what_is_sent_is_what_was_meant(sent: list[bytes], why: str | None) -> None:
    """A request that is cut, altered or too long leaves no figures."""
    stream = b"".join(sent)
    with sink(frozenset({b"one", b"two"})) as there, socket.create_connection(("127.0.0.1", there.port), 10) as line:
        line.sendall(stream)
        told = b""
        while told.count(b"HTTP/1.1 200 OK") < len(stream) // 3:
            told += line.recv(1000)
        if why is None:
            assert there.verdict() == len(sent)
        else:
            with pytest.raises(Wrong, match=why):
                there.verdict()


async def test_an_open_loop_counts_every_arrival() -> None:
    """As many as were due, with a latency each; what is not 200 has none and is counted as failed."""
    async with ScriptedVendor(ok()) as vendor:
        assert await arrivals(vendor) == (100, 0)
    async with ScriptedVendor(status(503)) as vendor:
        assert await arrivals(vendor) == (0, 100)


async def arrivals(vendor: ScriptedVendor) -> tuple[int, int]:
    """A hundred in a fifth of a second: how many were answered, and how many failed."""
    loop = Loop(int(urlsplit(vendor.url).port or 0), wire.upload("/analyse", ONE))
    try:
        await asyncio.to_thread(loop.run, 500, 0.2)
    finally:
        loop.close()
    return len(loop.latencies), loop.failed
