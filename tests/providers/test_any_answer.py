"""Whatever a vendor makes of its own answer: a result that holds, or an error of ours."""

import asyncio
import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from hashcache.core.content import Kind
from hashcache.core.errors import ProviderError
from hashcache.core.result import Verdict, encode
from hashcache.providers.hive import HiveProvider
from hashcache.providers.sightengine import SightengineProvider
from loadtests.dialects import hive, sightengine
from tests.harness.accounts import TEN_O_CLOCK, account, upload
from tests.harness.bodies import Held
from tests.harness.vendor import ScriptedVendor, status

#: Many processes or many tries: minutes on a busy machine.
pytestmark = pytest.mark.prove

CLIP = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
FILM = sightengine.film(0.25, 0.75)
FILM["data"]["frames"][1]["type"]["ai_generators"] = {"sora": 0.9}
ANSWERS: dict[str, tuple[type[HiveProvider] | type[SightengineProvider], dict[str, Any]]] = {
    "sightengine": (SightengineProvider, FILM),
    "hive": (HiveProvider, hive.output(hive.item(0.25, flux=0.5), hive.sound(), hive.item(0.75))),
}


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to each part of *document*."""
    yield path
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for name, part in inner:
        yield from places(part, (*path, name))


def replaced(document: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """*document* with *odd* at *path*."""
    if not path:
        return odd
    whole = part = copy.deepcopy(document)
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = odd
    return whole


@pytest.mark.parametrize("name", ANSWERS)
@settings(max_examples=5, phases=[Phase.generate])  # each example is a server and sixty calls
@given(data=st.data())
def test_any_part_of_an_answer_may_be_anything(name: str, data: st.DataObject) -> None:
    """Row 36: a part is replaced by any JSON (NaN included): a score that agrees with its verdict, or an error."""
    make, document = ANSWERS[name]
    drawn = data.draw(st.lists(st.tuples(st.sampled_from(list(places(document))), ODD), min_size=60, max_size=60))
    asyncio.run(ask(make, [replaced(document, path, odd) for path, odd in drawn]))


async def ask(make: Callable[..., HiveProvider | SightengineProvider], documents: list[Any]) -> None:
    """Have each of *documents* answered, and look at what becomes of it."""
    content = upload(Kind.VIDEO, "video/mp4", CLIP)
    async with ScriptedVendor() as vendor:
        provider = make(account(vendor.url, "a-key-of-tests", user="a-user"), clock=lambda: TEN_O_CLOCK, random=float)
        try:
            for document in documents:
                vendor.then(status(200, body=json.dumps(document).encode()))
                try:
                    bought = await provider.start(content, Held(CLIP))
                except ProviderError:
                    continue
                result = bought.result
                assert result.score_ai is not None
                assert 0 <= result.score_ai <= 1
                assert (result.score_ai >= 0.5) == (result.verdict is Verdict.AI_GENERATED)
                assert encode(result)
                assert bought.price >= 0
        finally:
            await provider.close()
