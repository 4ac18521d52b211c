"""Signing in with an admin's key: what a session opens, what it does not, and when it is over."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.api.conftest import KEYS, keyed_entries, settings
from tests.harness.contents import photo
from tests.harness.http import client, problem
from tests.harness.service import ADMIN_TOKEN, Service
from tests.harness.vendor import ScriptedVendor

pytestmark = pytest.mark.asyncio(loop_scope="session")

SESSION, STATS, CLEAR = "/admin/session", "/api/admin/cache/stats", "/api/admin/cache/clear"
OURS = {"Sec-Fetch-Site": "same-origin"}
#: As Render's proxy passes a request on.
PROXY = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def proxied(market: ScriptedVendor, folder: Path) -> AsyncIterator[Service]:
    """A service behind a proxy."""
    environment = settings(market, folder, HASHCACHE_ENV="proxied", HASHCACHE_BEHIND_PROXY="1")
    async with Service(folder / "proxied", environment) as service:
        yield service


async def sign_in(web: httpx.AsyncClient, key: str = ADMIN_TOKEN, **more: str) -> httpx.Response:
    """Sign in as the page does; *more*: other headers, with `_` for `-`."""
    headers = OURS | {name.replace("_", "-"): value for name, value in more.items()}
    return await web.post(SESSION, json={"key": key}, headers=headers)


async def test_a_session_administers_until_it_is_ended(service: Service, web: httpx.AsyncClient) -> None:
    """A key is sent once; from then on the cookie opens administration, until signing out ends it on the server."""
    assert (await web.get(SESSION)).json()["signed_in"] is False
    answer = await sign_in(web)
    assert (answer.status_code, answer.json()["name"]) == (200, "admin-token")
    assert (await web.get(SESSION)).json() == answer.json()
    assert (await web.get(STATS)).status_code == 200
    assert (await web.post(CLEAR, json={"pattern": "text:none"}, headers=OURS)).status_code == 200
    kept = web.cookies["hashcache"]
    assert (await web.delete(SESSION, headers=OURS)).json()["signed_in"] is False
    assert "hashcache" not in web.cookies
    # The cookie is of no use to whoever has kept it.
    again = {"Cookie": f"hashcache={kept}"}
    assert (await web.get(STATS, headers=again)).status_code == 401
    assert problem(await web.post(CLEAR, headers=OURS | again)) == "unauthorized"


async def test_the_cookie_is_the_browsers_alone(web: httpx.AsyncClient, proxied: Service) -> None:
    """No script reads it, no other site sends it, and over TLS it is bound to this very host."""
    plain = (await sign_in(web)).headers["set-cookie"]
    assert re.fullmatch(r"hashcache=[\w-]{43}; HttpOnly; Max-Age=43200; Path=/; SameSite=strict", plain)
    async with client(proxied.url) as secure:
        cookie = (await sign_in(secure, **PROXY)).headers["set-cookie"]
        value = re.fullmatch(
            r"__Host-hashcache=([\w-]{43}); HttpOnly; Max-Age=43200; Path=/; SameSite=strict; Secure", cookie
        )
        assert value is not None
        named = {"Cookie": f"__Host-hashcache={value[1]}", **PROXY}
        assert (await secure.get(STATS, headers=named)).status_code == 200
        # Under the other name, which any http page of this host may set, it means nothing over TLS.
        other = {"Cookie": f"hashcache={value[1]}", **PROXY}
        assert (await secure.get(STATS, headers=other)).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [{"Host": "cache.example.com"}, {"X-Forwarded-For": "203.0.113.7"}, {"X-Forwarded-Proto": "https", "Via": "1.1 x"}],
)
async def test_nobody_signs_in_over_plain_http(web: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """Where others could read the key it is refused, whatever a header claims without the operator's word for it."""
    answer = await web.post(SESSION, json={"key": ADMIN_TOKEN}, headers={**OURS, **headers})
    assert problem(answer) == "forbidden"
    assert "HASHCACHE_BEHIND_PROXY" in answer.json()["detail"]
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "{url}"},
    ],
)
async def test_what_changes_something_comes_from_our_own_page(
    service: Service, web: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    """With a session alone, another site's page clears nothing, signs nobody in and nobody out."""
    await sign_in(web)
    sent = {name: value.format(url=service.url) for name, value in headers.items()}
    assert problem(await web.post(CLEAR, headers=sent)) == "forbidden"
    assert problem(await web.post(SESSION, json={"key": ADMIN_TOKEN}, headers=sent)) == "forbidden"
    assert problem(await web.delete(SESSION, headers=sent)) == "forbidden"
    assert (await web.get(STATS)).status_code == 200


async def test_an_origin_is_enough_for_older_browsers(service: Service, web: httpx.AsyncClient) -> None:
    """Who does not send Sec-Fetch-Site shows by Origin that the page is ours; and a key needs neither."""
    assert (await web.post(SESSION, json={"key": ADMIN_TOKEN}, headers={"Origin": service.url})).status_code == 200
    cleared = await web.post(CLEAR, json={"pattern": "text:none"}, headers={"Origin": service.url})
    assert cleared.status_code == 200
    async with client(service.url, ADMIN_TOKEN) as admin:
        assert (await admin.post(CLEAR, json={"pattern": "text:none"})).status_code == 200


async def test_only_administration_takes_a_cookie(keyed: Service, vendor: ScriptedVendor) -> None:
    """Analysing needs a key, whoever has signed in."""
    async with client(keyed.url) as web:
        assert (await sign_in(web, KEYS["root"])).json()["name"] == "root"
        assert (await web.get(STATS)).status_code == 200
        assert problem(await web.post("/api/analyze", content=photo(), headers=OURS)) == "unauthorized"
        # A key that is sent as well counts alone.
        assert (await web.get(STATS, headers={"X-API-Key": KEYS["ann"]})).status_code == 403


async def test_only_an_admin_signs_in(keyed: Service) -> None:
    """A user's key, a wrong one, none, and what is no sign-in at all open nothing; tries are counted."""
    async with client(keyed.url) as web:
        for key in (KEYS["ann"], "wrong", ""):
            assert problem(await sign_in(web, key)) == "unauthorized"
        for body in (b"", b"[]", b'{"key": 1}', b'{"key": "x", "key": "y"}', b'{"key": "x", "more": 1}'):
            assert problem(await web.post(SESSION, content=body, headers=OURS)) == "malformed"
        assert (await web.get(SESSION)).json()["signed_in"] is False


async def test_who_guesses_is_slowed_down(proxied: Service) -> None:
    """After ten tries in a minute an address has to wait, with the right key too; another address has not."""
    async with client(proxied.url) as web:
        guesser, other = (
            PROXY | {"X-Forwarded-For": "spoofed, 198.51.100.9"},
            PROXY | {"X-Forwarded-For": "198.51.100.8"},
        )
        answers = await asyncio.gather(*(sign_in(web, f"guess {at}", **guesser) for at in range(12)))
        assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 2
        refused = await sign_in(web, **guesser)
        assert problem(refused) == "too-many-tries"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert (await sign_in(web, **other)).status_code == 200


async def test_a_session_ends_with_the_key_that_began_it(market: ScriptedVendor, folder: Path) -> None:
    """It is known to the next process on the same store; not any more once its key is taken away."""
    environment = settings(market, folder, HASHCACHE_ENV="rotated", HASHCACHE_API_KEYS=keyed_entries())
    service = Service(folder / "rotated", environment)
    async with service, client(service.url) as web:
        kept = {"Cookie": (await sign_in(web)).headers["set-cookie"].partition(";")[0]}
    async with service, client(service.url) as web:
        assert (await web.get(STATS, headers=kept)).status_code == 200
    changed = Service(folder / "rotated", {**environment, "HASHCACHE_ADMIN_TOKEN": "another-admin-token"})
    async with changed, client(changed.url) as web:
        assert (await web.get(STATS, headers=kept)).status_code == 401


async def test_sessions_end_by_themselves(market: ScriptedVendor, folder: Path) -> None:
    """The cookie lasts as long as HASHCACHE_SESSION_LIFE says."""
    environment = settings(market, folder, HASHCACHE_ENV="brief", HASHCACHE_SESSION_LIFE="1m")
    async with Service(folder / "brief", environment) as service, client(service.url) as web:
        assert "Max-Age=60;" in (await sign_in(web)).headers["set-cookie"]


async def test_nothing_secret_is_logged(service: Service, web: httpx.AsyncClient) -> None:
    """The log tells who has signed in, and neither his key nor his cookie."""
    await sign_in(web)
    secret = web.cookies["hashcache"]
    await web.delete(SESSION, headers=OURS)
    assert service.events("admin.signed_in")[-1]["who"] == "admin-token"
    assert service.events("admin.signed_out")
    assert secret not in service.log()
    assert ADMIN_TOKEN not in service.log()


async def test_where_nobody_administers_nobody_signs_in(closed: Service) -> None:
    """It says how to open administration."""
    async with client(closed.url) as web:
        answer = await sign_in(web)
    assert problem(answer) == "forbidden"
    assert "HASHCACHE_ADMIN_TOKEN" in answer.json()["detail"]
