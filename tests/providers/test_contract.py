"""What holds for every vendor that answers at once, whatever it speaks: its terms, account, deadline and question."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from hashcache.core.content import Content, Kind
from hashcache.core.errors import ProviderDenied, ProviderInvalid, ProviderRejected, ProviderTimeout
from hashcache.core.money import MicroDollars, dollars
from hashcache.ports import Provider
from hashcache.providers import aiornot, gptzero, hive, sightengine
from hashcache.settings.vendors import KNOWN
from loadtests.dialects import aiornot as speaks_aiornot
from loadtests.dialects import gptzero as speaks_gptzero
from loadtests.dialects import hive as speaks_hive
from loadtests.dialects import sightengine as speaks_sightengine
from tests.harness import vendor as scripts
from tests.harness.accounts import TEN_O_CLOCK, account, upload
from tests.harness.bodies import Held
from tests.harness.dialects.arrived import asked
from tests.harness.vendor import Script, ScriptedVendor, status

#: What each kind is when it is sent to whoever takes it.
SENT = {
    Kind.IMAGE: ("image/png", b"\x89PNG\r\n\x1a\n" + bytes(range(256))),
    Kind.VIDEO: ("video/mp4", b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"),
    Kind.TEXT: ("text/plain", b"A text of tests, and of no other use. " * 10),
}


@dataclass(frozen=True)
class Case:
    """A vendor: how we call it, its *key*, its good *day*, the path of its API, and media types that it *refuses*."""

    make: Callable[..., Provider]
    adapter: Any
    key: str
    day: Script
    path: str = ""
    user: str = ""
    refuses: tuple[tuple[Kind, str], ...] = ()

    def provider(self, origin: str, **chosen: Any) -> Provider:
        """Our side of it, below *origin*, with what is *chosen*."""
        chosen = {"key": self.key, "user": self.user, **chosen}
        return self.at(origin + self.path, **chosen)

    def at(self, url: str, *, key: str = "a-key", **chosen: Any) -> Provider:
        """Our side of it, with this address as it is."""
        return self.make(account(url, key, **chosen), clock=lambda: TEN_O_CLOCK, random=lambda: 0.0)


_NO_HEIC = (
    (Kind.IMAGE, "image/heic"),
    (Kind.IMAGE, "image/bmp"),
    (Kind.IMAGE, "image/tiff"),
    (Kind.TEXT, "text/plain"),
)
CASES = {
    "sightengine": Case(
        sightengine.SightengineProvider,
        sightengine,
        speaks_sightengine.SECRET,
        speaks_sightengine.answer(speaks_sightengine.picture()),
        path="/1.0",
        user=speaks_sightengine.USER,
        refuses=_NO_HEIC,
    ),
    "hive": Case(
        hive.HiveProvider,
        hive,
        speaks_hive.KEY,
        speaks_hive.answer(speaks_hive.output(speaks_hive.item())),
        path="/api/v3",
        refuses=_NO_HEIC,
    ),
    "aiornot": Case(
        aiornot.AiOrNotProvider,
        aiornot,
        speaks_aiornot.KEY,
        speaks_aiornot.speaks(),
        refuses=((Kind.IMAGE, "image/gif"), (Kind.IMAGE, "image/avif"), (Kind.IMAGE, "image/bmp")),
    ),
    "gptzero": Case(
        gptzero.GptZeroProvider,
        gptzero,
        speaks_gptzero.KEY,
        speaks_gptzero.speaks(),
        refuses=((Kind.IMAGE, "image/png"), (Kind.VIDEO, "video/mp4")),
    ),
}
KINDS = [(name, kind) for name in CASES for kind in sorted(KNOWN[name].kinds)]


@pytest.fixture(params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    """Each vendor in turn."""
    return str(request.param)


@pytest.fixture
async def vendor(name: str) -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor(CASES[name].day) as vendor:
        yield vendor


def content(kind: Kind) -> tuple[Content, Held]:
    """A content of this *kind*, and its bytes."""
    media_type, raw = SENT[kind]
    return upload(kind, media_type, raw), Held(raw)


def first_kind(name: str) -> Kind:
    """A kind that the vendor takes."""
    return min(KNOWN[name].kinds)


def test_the_terms_tell_the_published_price(name: str) -> None:
    """
    The adapter has the port's shape, and its name, kinds, unit, price and address are those of the settings; with
    another price than the published one no date is told.
    """
    case, known = CASES[name], KNOWN[name]
    port: Provider = case.at(case.adapter.URL, price=case.adapter.PRICE)
    assert (port.name, port.kinds) == (name, known.kinds)
    assert (known.url, dollars(known.price)) == (case.adapter.URL, case.adapter.PRICE)
    assert (port.terms.unit, port.terms.price, port.terms.read) == (known.unit, case.adapter.PRICE, case.adapter.READ)
    assert case.at(case.adapter.URL, price=MicroDollars(1)).terms.read is None


async def test_a_wrong_key_is_the_accounts_fault(vendor: ScriptedVendor, name: str) -> None:
    """Row 37: nobody's upload is at fault, whatever status the vendor says it with; no key is told."""
    provider = CASES[name].provider(vendor.origin, key="canary-wrong-71c0")
    with pytest.raises(ProviderDenied) as raised:
        await provider.start(*content(first_kind(name)))
    assert "canary" not in repr(raised.value)
    await provider.close()


@pytest.mark.parametrize("script", [scripts.silence, scripts.drip(0.05)], ids=["row 32", "row 33"])
@pytest.mark.parametrize(("name", "kind"), KINDS)
async def test_the_deadline_of_its_kind_holds(vendor: ScriptedVendor, name: str, kind: Kind, script: Script) -> None:
    """A video has a deadline of its own; when the kind's passes, the call is possibly paid and not repeated."""
    vendor.default = script
    soon, late = timedelta(seconds=0.2), timedelta(hours=1)
    timeout, video_timeout = (late, soon) if kind is Kind.VIDEO else (soon, late)
    provider = CASES[name].provider(vendor.origin, timeout=timeout, video_timeout=video_timeout)
    with pytest.raises(ProviderTimeout) as raised:
        await provider.start(*content(kind))
    assert raised.value.possibly_paid
    assert vendor.ledger.calls == 1
    await provider.close()


@pytest.mark.parametrize(("name", "refused"), [(name, one) for name, case in CASES.items() for one in case.refuses])
async def test_what_the_vendor_does_not_take_is_refused_before_anything_is_sent(
    vendor: ScriptedVendor, name: str, refused: tuple[Kind, str]
) -> None:
    """With a reason for people, and free of charge."""
    kind, media_type = refused
    known = kind in KNOWN[name].kinds
    said = f"does not take {media_type}; it takes {kind.value}/" if known else f"does not analyse {kind.value}s"
    provider = CASES[name].provider(vendor.origin)
    with pytest.raises(ProviderRejected, match=said) as raised:
        await provider.estimate(upload(kind, media_type, b"\x00"), Held(b"\x00"))
    assert not raised.value.possibly_paid
    assert vendor.accepted == 0


async def test_it_gives_no_receipts_and_closes_twice(name: str) -> None:
    """A receipt of another provider is refused; a second close does nothing."""
    provider = CASES[name].provider("http://127.0.0.1:1")
    with pytest.raises(ProviderInvalid):
        await provider.resume("receipt")
    await provider.close()
    await provider.close()


def test_what_changes_the_answer_is_in_the_question(name: str) -> None:
    """Address, threshold, kind and tenant; not the account, the price, deadlines or limits."""
    case, kind = CASES[name], first_kind(name)
    here = "http://127.0.0.1/a"
    question = case.at(here).question(kind, "acme")
    changed = [
        case.at("http://127.0.0.1/b").question(kind, "acme"),
        case.at(case.adapter.URL).question(kind, "acme"),
        case.at(here, ai_above=0.6).question(kind, "acme"),
        case.at(here).question(kind, "other"),
        *(case.at(here).question(one, "acme") for one in KNOWN[name].kinds - {kind}),
    ]
    assert len({question.variant, *(one.variant for one in changed)}) == len(changed) + 1
    plan = {"price": MicroDollars(1), "timeout": timedelta(1), "most_bytes": 9, "concurrency": 1}
    assert case.at(here, key="k", user="u", **plan).question(kind, "acme") == question
    assert "url" not in case.at(case.adapter.URL).question(kind, "acme").parameters


#: Vendors that are paid by the picture, and an answer to a picture as well as to a video.
FRAMED = {
    "sightengine": speaks_sightengine.film(0.5),
    "hive": speaks_hive.output(speaks_hive.item()),
}
SETUPS = st.fixed_dictionaries(
    {
        "mirror": st.sampled_from(["", "/mirror"]),
        "kind": st.sampled_from([Kind.IMAGE, Kind.VIDEO]),
        "ai_above": st.sampled_from([0.5, 0.9, 1.0]) | st.floats(0, 1),
        "key": st.sampled_from(["one-key", "another-key"]),
        "price": st.integers(0, 10).map(MicroDollars),
        "most_seconds": st.none() | st.integers(1, 60),
    }
)
CHANGED = st.sets(st.sampled_from(["mirror", "kind", "ai_above", "key", "price", "most_seconds"]))


@pytest.mark.parametrize("framed", FRAMED)
@settings(max_examples=25, phases=[Phase.generate])  # each example is a server and two calls: shrinking takes minutes
@given(SETUPS, SETUPS, CHANGED)
def test_two_questions_share_a_key_if_and_only_if_the_same_is_sent(
    framed: str, one: dict[str, Any], drawn: dict[str, Any], changed: set[str]
) -> None:
    """All that arrives is compared, but for the boundary and the account, and the threshold of the reading."""
    other = {part: drawn[part] if part in changed else one[part] for part in one}

    async def sent(vendor: ScriptedVendor, setup: dict[str, Any]) -> tuple[object, str]:
        chosen = dict(setup)
        kind, mirror = chosen.pop("kind"), chosen.pop("mirror")
        provider = CASES[framed].at(vendor.origin + mirror, user="a-user", **chosen)
        await provider.start(*content(kind))
        await provider.close()
        arrived = asked(vendor.ledger.requests[-1], "api_user", "api_secret")
        return (arrived, setup["ai_above"]), provider.question(kind, "acme").variant

    async def both() -> tuple[tuple[object, str], tuple[object, str]]:
        async with ScriptedVendor(status(200, body=json.dumps(FRAMED[framed]).encode())) as vendor:
            return await sent(vendor, one), await sent(vendor, other)

    (first, first_key), (second, second_key) = asyncio.run(both())
    assert (first == second) == (first_key == second_key)
