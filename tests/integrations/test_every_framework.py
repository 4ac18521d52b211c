"""One table of requests, the same answers of each framework: status, headers, and what is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from hashcache import Type
from tests.harness.http import cache_status
from tests.integrations.sites import SITES, Clerk, Site

#: What servers write, each in its way.
OF_SERVERS = {"connection", "date", "keep-alive", "server", "transfer-encoding"}
ADMIN = {"X-Admin": "yes"}


@dataclass(frozen=True)
class Ask:
    """
    One request; before it, *passed* seconds pass. *status*, *answers* and *failing*: how the route answers, if it runs.
    """

    told: str
    path: str = ""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    status: int = 200
    answers: Mapping[str, str] = field(default_factory=dict)
    failing: bool = False
    passed: float = 0


def get(told: str, path: str = "", **more: Any) -> Ask:
    """A GET that must be answered as *told*: the status, X-Cache-Status, which run, and in one word where or why."""
    return Ask(told, path, **more)


def never(answers: Mapping[str, str], why: str, status: int = 200) -> list[Ask]:
    """An answer that is not kept."""
    return [get(f"{status} BYPASS run {run} {why}", answers=answers, status=status) for run in (1, 2)]


def bypassed(why: str, **more: Any) -> list[Ask]:
    """A request that is not for the cache, though an answer lies there."""
    return [get("200 MISS run 1 source"), get(f"200 BYPASS run 2 {why}", **more), get("200 HIT run 1 near")]


def post(told: str, body: bytes = b"a", **more: Any) -> Ask:
    """A POST with a body of text."""
    return Ask(told, method="POST", body=body, headers={"Content-Type": "text/plain"}, **more)


TABLE: dict[str, tuple[dict[str, Any], list[Ask]]] = {
    "kept": ({}, [get("200 MISS run 1 source"), get("200 HIT run 1 near", passed=7)]),
    "headers": (
        {},
        [
            get("203 MISS run 1 source", status=203, answers={"X-Own": "a", "Content-Language": "en"}),
            get("203 HIT run 1 near"),
        ],
    ),
    "expires": (
        {"type": "dashboard", "ttl": 10},
        [
            get("200 MISS run 1 source"),
            get("200 HIT run 1 near", passed=9),
            get("200 MISS run 2 source", passed=1),
        ],
    ),
    "query": (
        {},
        [
            get("200 MISS run 1 source", "a?x=1&y=2"),
            get("200 HIT run 1 near", "a?y=2&x=1"),
            get("200 MISS run 2 source", "a?x=2&y=1"),
            get("200 MISS run 3 source", "a?y=1&y=2"),
            get("200 MISS run 4 source", "a?y=2&y=1"),
            get("200 MISS run 5 source", "b?x=1&y=2"),
            get("200 MISS run 6 source", "a%20b"),
            get("200 MISS run 7 source", "caf%C3%A9?q=%C3%A9"),
            get("200 HIT run 7 near", "caf%C3%A9?q=%C3%A9"),
            get("200 MISS run 8 source", "a/b"),
            get("200 MISS run 9 source", "a%2Fb"),
        ],
    ),
    "hosts": (
        {},
        [
            get("200 MISS run 1 source", headers={"Host": "a.example"}),
            get("200 MISS run 2 source", headers={"Host": "b.example"}),
            get("200 HIT run 1 near", headers={"Host": "A.EXAMPLE"}),
        ],
    ),
    "head": (
        {},
        [
            Ask("200 MISS run ? source", method="HEAD"),
            Ask("200 HIT run ? near", method="HEAD"),
            get("200 MISS run 2 source"),
        ],
    ),
    "own-key": (
        {"key": lambda request: f"page:{request.headers['X-Page']}"},
        [
            get("200 MISS run 1 source", "a", headers={"X-Page": "7"}),
            get("200 HIT run 1 near", "b", headers={"X-Page": "7"}),
            get("200 MISS run 2 source", "b", headers={"X-Page": "8"}),
            get("200 BYPASS run 3 key", "b"),
        ],
    ),
    "no-read": ({}, [post("200 BYPASS run 1 method"), post("200 BYPASS run 2 method")]),
    "reads": (
        {"reads": ("post",)},
        [
            post("200 MISS run 1 source"),
            post("200 HIT run 1 near"),
            post("200 MISS run 2 source", b"b"),
            Ask("200 MISS run 3 source", method="POST", body=b"a", headers={"Content-Type": "a/b"}),
            Ask("200 BYPASS run 4 method", method="PUT", body=b"a"),
            post("200 BYPASS run 5 body", b"x" * 1_000_001),
        ],
    ),
    "set-cookie": ({}, never({"Set-Cookie": "a=1"}, "set-cookie")),
    "private": ({}, never({"Cache-Control": "max-age=60, Private"}, "private")),
    "no-store": ({}, never({"Cache-Control": "no-store"}, "no-store")),
    "no-age": ({}, never({"Cache-Control": "max-age=0"}, "max-age")),
    "vary-all": ({}, never({"Vary": "Accept, *"}, "vary")),
    "part": ({}, never({}, "status", 206)),
    "moved": ({}, never({"Location": "/"}, "status", 301)),
    "unknown": ({}, never({}, "status", 404)),
    "broken": ({}, never({}, "status", 500)),
    "raises": (
        {},
        [get("500 - run ? -", failing=True), get("200 MISS run 2 source"), get("200 HIT run 2 near", failing=True)],
    ),
    "vary": (
        {},
        [
            get("200 MISS run 1 source", headers={"Accept-Language": "en"}, answers={"Vary": "Accept-Language"}),
            get("200 MISS run 2 source", headers={"Accept-Language": "de"}, answers={"Vary": "Accept-Language"}),
            get("200 HIT run 1 near", headers={"Accept-Language": "en"}),
            get("200 HIT run 2 near", headers={"Accept-Language": "de"}),
        ],
    ),
    "authorization": ({}, bypassed("credentials", headers={"Authorization": "Bearer a"})),
    "cookie": ({}, bypassed("credentials", headers={"Cookie": "a=1"})),
    "api-key": ({}, bypassed("credentials", headers={"X-API-Key": "a"})),
    "range": ({}, bypassed("partial", headers={"Range": "bytes=0-1"})),
    "if-match": ({}, bypassed("partial", headers={"If-Match": '"a"'})),
    "asks-no-store": ({}, bypassed("no-store", headers={"Cache-Control": "no-store"})),
    "when": (
        {"when": lambda request: "X-Live" not in request.headers},
        bypassed("when", headers={"X-Live": "1"}),
    ),
    "identity": (
        {"type": "user", "identity": lambda request: request.headers.get("X-User")},
        [
            get("200 MISS run 1 source", headers={"X-User": "ann"}),
            get("200 MISS run 2 source", headers={"X-User": "bob"}),
            get("200 HIT run 1 near", headers={"X-User": "ann", "Cookie": "a=1"}),
            get("200 BYPASS run 3 identity"),
        ],
    ),
    "identity-raises": ({"identity": lambda request: request.headers["X-User"]}, [get("200 BYPASS run 1 identity")]),
    "identity-of-no-form": ({"identity": lambda _: object()}, [get("200 BYPASS run 1 identity")]),
    "refresh": (
        {},
        [
            get("200 MISS run 1 source"),
            get("200 MISS run 2 source", headers={"X-Force-Refresh": "true"}, passed=1),
            get("200 HIT run 2 near"),
        ],
    ),
    "etag": (
        {},
        [
            get("200 MISS run 1 source", answers={"ETag": '"own"', "Content-Location": "/own"}),
            get("304 HIT run ? near", headers={"If-None-Match": 'W/"own"'}),
            get("304 HIT run ? near", headers={"If-None-Match": "*"}),
            get("200 HIT run 1 near", headers={"If-None-Match": '"other"'}),
            get("304 MISS run ? source", "b", headers={"If-None-Match": '"b"'}, answers={"ETag": '"b"'}),
        ],
    ),
    "personal": ({"type": Type("mine", personal=True)}, [get("200 BYPASS run 1 type"), get("200 BYPASS run 2 type")]),
    "stale-if-error": (
        {"type": Type("shaky", ttl=10, stale_if_error=100)},
        [
            get("200 MISS run 1 source"),
            get("200 STALE run 1 store", status=503, passed=11),
            get("200 STALE run 1 store", failing=True),
            get("404 BYPASS run 3 status", status=404, passed=30),
        ],
    ),
}
WORDS = {name: words for name, (words, _) in TABLE.items()}

OFFICE = [
    ("GET", "/api/cache/stats", {}, b""),
    ("GET", "/api/cache/stats", ADMIN, b""),
    ("POST", "/api/cache/invalidate/dashboard", ADMIN, b""),
    ("POST", "/api/cache/invalidate/dashboard", {"X-Admin": "no"}, b""),
    ("POST", "/api/cache/invalidate/nothing", ADMIN, b""),
    ("POST", "/api/cache/invalidate-pattern", ADMIN, b'{"pattern": "route:/kept/*"}'),
    ("POST", "/api/cache/invalidate-pattern", ADMIN, b'{"pattern": 7}'),
    ("POST", "/api/cache/invalidate-pattern", ADMIN, b'{"pattern": ""}'),
    ("POST", "/api/cache/invalidate-pattern", ADMIN, b"\xff"),
    ("POST", "/api/cache/invalidate-pattern", ADMIN, b"x" * 5_000),
    ("POST", "/api/cache/clear-all", ADMIN, b""),
    ("POST", "/api/cache/clear-all", {}, b""),
]


def tell(answer: httpx.Response) -> str:
    """In short, as the table has it."""
    told = cache_status(answer.headers["cache-status"]) if "cache-status" in answer.headers else {}
    run = answer.text.split()[1] if answer.text.startswith("run ") else "?"
    return f"{answer.status_code} {answer.headers.get('x-cache-status', '-')} run {run} {told.get('detail', '-')}"


async def asked(site: Site, name: str, ask: Ask) -> httpx.Response:
    """The answer of *site* to *ask*."""
    site.bench.clock.advance(ask.passed)
    clerk = site.clerk
    clerk.status, clerk.headers, clerk.failing = ask.status, ask.answers, ask.failing
    site.client.cookies.clear()
    headers = {"Host": "site.example", **ask.headers}
    return await site.client.request(ask.method, f"/{name}/{ask.path}", headers=headers, content=ask.body)


def shown(answer: httpx.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    """All that a visitor sees of an answer, but what servers write."""
    headers = [(name, value) for name, value in answer.headers.multi_items() if name not in OF_SERVERS]
    return answer.status_code, answer.content, sorted(headers)


async def test_every_framework_answers_the_table_alike() -> None:
    """Each as the table has it; and header by header, byte by byte as the other one does, keys and ETags included."""
    wrong, seen = [], []
    for site_of in SITES:
        answers: list[tuple[str, tuple[int, bytes, list[tuple[str, str]]]]] = []
        async with site_of(WORDS) as site:
            for name, (_, asks) in TABLE.items():
                site.clerk.runs = 0
                for number, ask in enumerate(asks):
                    answer = await asked(site, name, ask)
                    if tell(answer) != ask.told:
                        wrong.append((site_of.__name__, name, number, ask.told, tell(answer)))
                    if not ask.failing:  # the page of a crash is the framework's own
                        answers.append((f"{name} {number}", shown(answer)))
        seen.append(answers)
    assert wrong == []
    one, other = seen
    assert [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]] == []


async def test_every_framework_answers_administrators_alike() -> None:
    """The same bytes and headers to the same requests, of those whom the guard lets in and of others."""
    seen = []
    for site_of in SITES:
        async with site_of({"kept": {"type": "dashboard"}}) as site:
            for path in ("", "a", "b"):
                await asked(site, "kept", Ask("", path))
            answers = []
            for method, path, headers, body in OFFICE:
                answers.append(shown(await site.client.request(method, path, headers=headers, content=body)))
                await asked(site, "kept", Ask("", "again"))
            seen.append(answers)
            assert (await site.client.get("/api/cache/clear-all", headers=ADMIN)).status_code == 405
    assert seen[0] == seen[1]
    assert [status for status, _, _ in seen[0]] == [403, 200, 200, 403, 404, 200, 400, 400, 400, 413, 200, 403]


def test_a_clerk_counts() -> None:
    """The table stands on it."""
    clerk = Clerk()
    assert [clerk.answer(b"a")[0], clerk.answer(b"")[0]] == [b"run 1 sent a", b"run 2 sent "]
