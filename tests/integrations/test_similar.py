"""Similar content: what is offered, to whom, and what never is."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Awaitable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashcache.integrations.similar import (
    LONGEST,
    Embed,
    EmbeddingRefused,
    Near,
    Scope,
    Similar,
    containment,
    cosine,
    shingles,
    similarity,
    unit,
)

FAQ = Scope("faq")
TEXT = "how can I get my money back for a pair of shoes that does not fit"
WORDS = st.lists(st.sampled_from(list("abcdefgh")), max_size=12)
TEXTS = WORDS.map(" ".join)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


async def index(*texts: str, scope: Scope = FAQ, **settings: float) -> Similar:
    """One that remembers *texts* under the keys `0`, `1`, ..."""
    similar = Similar(**settings)  # type: ignore[arg-type] - whichever are given
    for key, text in enumerate(texts):
        assert await similar.remember(scope, str(key), text)
    return similar


# what the measure is


@given(st.text(min_size=1), st.integers(1, 4))
def test_a_text_is_contained_in_itself(text: str, width: int) -> None:
    """Wholly, if it has a word at all; and what has none is contained in nothing."""
    own = shingles(text, width)
    assert containment(own, own) == similarity(own, own) == (1.0 if own else 0.0)


@given(TEXTS, TEXTS, st.integers(1, 3))
def test_the_measure_is_symmetric(one: str, other: str, width: int) -> None:
    """Similarity is, containment is not; both are from 0 to 1, and similarity is the smaller containment."""
    a, b = shingles(one, width), shingles(other, width)
    assert similarity(a, b) == similarity(b, a) == min(containment(a, b), containment(b, a))
    assert 0 <= similarity(a, b) <= containment(a, b) <= 1


@given(WORDS.flatmap(lambda words: st.tuples(st.just(words), st.permutations(words))))
def test_the_order_of_words_does_not_count(words: tuple[list[str], list[str]]) -> None:
    """With shingles of one word; with wider ones it does."""
    one, other = map(" ".join, words)
    assert shingles(one) == shingles(other)
    assert shingles("not a but b", 2) != shingles("b but not a", 2)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Where IS it?", "where is it"), ("Stra\u00dfe", "STRASSE"), ("caf\u00e9", "cafe\u0301"), ("\uff21\uff22", "ab")],
)
def test_writing_does_not_count(one: str, other: str) -> None:
    """Case, marks, composed or not, full width or not: the same words."""
    assert shingles(one) == shingles(other) != frozenset()


@given(st.lists(FINITE, min_size=1, max_size=8).filter(any))
def test_a_direction_has_length_one(vector: list[float]) -> None:
    """However large or small the numbers; and it is wholly similar to itself, and not at all to its opposite."""
    direction = unit(vector)
    assert math.isclose(math.hypot(*direction), 1.0)
    assert cosine(direction, direction) == 1.0
    assert cosine(direction, [-one for one in direction]) == 0.0


# what is offered


async def test_nearly_the_same_words_are_offered() -> None:
    """From the threshold on, as near, with distance and source; below it nothing."""
    similar = await index("one two three four five six seven eight nine ten")
    assert await similar.offer(FAQ, "one two three four five six seven eight nine ten") == Near("0", 0.0)
    found = await similar.offer(FAQ, "Nine, eight, seven, six, five, four, three, two, one, zero!")
    assert found == Near("0", 0.1, match="near")
    assert await similar.offer(FAQ, "one two three four five six seven eight") is None
    assert await similar.offer(FAQ, "ten") is None


async def test_offering_stores_nothing() -> None:
    """What was offered a near answer is not remembered by that: chains of near texts do not drift away."""
    similar = await index("a b c d e f g h i j")
    assert await similar.offer(FAQ, "a b c d e f g h i x") == Near("0", 0.1)
    assert await similar.offer(FAQ, "a b c d e f g h y x") is None
    assert len(similar) == 1


async def test_other_numbers_are_another_question() -> None:
    """However long the rest is; the same numbers are not in the way."""
    similar = await index(f"{TEXT} order 17")
    assert await similar.offer(FAQ, f"{TEXT} order 18") is None
    assert await similar.offer(FAQ, f"{TEXT} order") is None
    assert await similar.offer(FAQ, f"{TEXT}, order: 17") == Near("0", 0.0)


async def test_users_and_types_are_apart() -> None:
    """Nobody is offered what another user, everybody or another type was answered."""
    similar = await index(TEXT, scope=Scope("faq", "ada"))
    for scope in (Scope("faq", "bob"), Scope("faq"), Scope("search", "ada")):
        assert await similar.offer(scope, TEXT) is None
    assert await similar.offer(Scope("faq", "ada"), TEXT) == Near("0", 0.0)


@given(st.permutations([("b", "x y"), ("a", "x y"), ("ab", "y x"), ("c", "x y z")]))
async def test_ties_do_not_depend_on_the_order(texts: list[tuple[str, str]]) -> None:
    """Of equally near texts the one with the smallest key, in whatever order they came."""
    similar = Similar(0.5)
    for key, text in texts:
        await similar.remember(FAQ, key, text)
    assert await similar.offer(FAQ, "y x") == Near("a", 0.0)
    assert await similar.offer(FAQ, "z y x") == Near("c", 0.0)


@pytest.mark.parametrize("text", ["", " \n", "?!", "x" * (LONGEST + 1)])
async def test_what_cannot_be_compared_is_not(text: str) -> None:
    """A text without a word, or a long one, is neither remembered nor offered anything; no embedding is asked."""
    asked: list[str] = []

    def embed(text: str) -> Sequence[float]:
        asked.append(text)
        return [1.0]

    for similar in (Similar(), Similar(embed=embed)):
        await similar.remember(FAQ, "0", TEXT)
        assert not await similar.remember(FAQ, "1", text)
        assert await similar.offer(FAQ, text) is None
        assert len(similar) == 1
    assert asked == [TEXT]


# what is forgotten


async def test_room_is_bounded() -> None:
    """Per type and user; what was not used for longest goes first."""
    similar = await index("a", "b", most=2)
    await similar.offer(FAQ, "a")
    await similar.remember(FAQ, "2", "c")
    found = [await similar.offer(FAQ, text) for text in "abc"]
    assert found == [Near("0", 0.0), None, Near("2", 0.0)]


async def test_room_is_bounded_in_all() -> None:
    """Beyond it, whoever has neither remembered nor been offered anything for longest loses his oldest text."""
    ada, bob, eve = (Scope("faq", user) for user in ("ada", "bob", "eve"))
    similar = Similar(total=4)
    for scope, text in ((ada, "a"), (bob, "a"), (bob, "b"), (ada, "b"), (eve, "a")):
        await similar.remember(scope, text, text)
    assert len(similar) == 4
    assert await similar.offer(bob, "a") is None
    assert await similar.offer(bob, "b") == Near("b", 0.0)
    await similar.remember(eve, "b", "b")
    assert await similar.offer(ada, "a") is None
    await similar.remember(eve, "b", "c")
    assert await similar.offer(ada, "b") == Near("b", 0.0)
    assert len(similar) == 4


async def test_what_is_gone_is_not_offered() -> None:
    """After `forget`, of a key that is there or not, and after `clear`."""
    similar = await index("a", "b")
    similar.forget(FAQ, "0")
    similar.forget(FAQ, "0")
    similar.forget(Scope("other"), "1")
    assert await similar.offer(FAQ, "a") is None
    assert await similar.offer(FAQ, "b") == Near("1", 0.0)
    similar.clear()
    assert await similar.offer(FAQ, "b") is None
    assert len(similar) == 0


async def test_a_key_has_its_latest_text() -> None:
    """Remembered again, it is offered for the new text alone."""
    similar = await index("a")
    await similar.remember(FAQ, "0", "b")
    assert (await similar.offer(FAQ, "a"), await similar.offer(FAQ, "b")) == (None, Near("0", 0.0))


# embeddings


MEANING = {"car": [2.0, 0.1], "automobile": [4.0, 0.3], "tree": [0.0, 1.0], "anti-car": [-2.0, -0.1]}


async def later(text: str) -> Sequence[float]:
    """An embedding that is asked elsewhere."""
    return MEANING[text]


class Model:
    """No function, but something that is called and gives what is to be awaited."""

    def __call__(self, text: str) -> Awaitable[Sequence[float]]:
        return later(text)


@pytest.mark.parametrize("embed", [MEANING.__getitem__, later, Model()], ids=["plain", "async", "object"])
async def test_meaning_is_compared(embed: Embed) -> None:
    """By direction, whether the function is plain, async or gives something to await."""
    similar = Similar(embed=embed)
    await similar.remember(FAQ, "car", "car")
    found = await similar.offer(FAQ, "automobile")
    assert found is not None
    assert (found.key, found.match) == ("car", "near")
    assert found.distance == pytest.approx(1 - cosine(unit([2.0, 0.1]), unit([4.0, 0.3])))
    assert await similar.offer(FAQ, "car") == Near("car", 0.0)
    assert await similar.offer(FAQ, "tree") is None
    assert await similar.offer(FAQ, "anti-car") is None


async def test_a_plain_embedding_does_not_hold_up_the_loop() -> None:
    """It runs in another thread."""
    threads: list[threading.Thread] = []

    def embed(text: str) -> Sequence[float]:
        threads.append(threading.current_thread())
        return [1.0]

    await Similar(embed=embed).remember(FAQ, "0", TEXT)
    assert threads != [threading.current_thread()]


@pytest.mark.parametrize("vector", [[math.nan, 1.0], [math.inf], [-math.inf, 0.0], [0.0, 0.0], [], [1.0, 2.0, 3.0]])
async def test_what_has_no_direction_is_refused(vector: list[float]) -> None:
    """NaN, infinities, zeros, nothing, another length than before: an error, and the index is as it was."""
    vectors = {"a": [1.0, 0.0], "b": vector}
    similar = Similar(embed=vectors.__getitem__)
    await similar.remember(FAQ, "0", "a")
    with pytest.raises(EmbeddingRefused):
        await similar.remember(FAQ, "1", "b")
    with pytest.raises(EmbeddingRefused):
        await similar.offer(FAQ, "b")
    assert await similar.offer(FAQ, "a") == Near("0", 0.0)
    assert len(similar) == 1


async def test_another_model_after_a_clear() -> None:
    """Its embeddings may have another length."""
    vectors = {"a": [1.0, 0.0], "b": [1.0]}
    similar = Similar(embed=vectors.__getitem__)
    await similar.remember(FAQ, "0", "a")
    similar.clear()
    assert await similar.remember(FAQ, "1", "b")


async def test_a_clear_holds_while_an_embedding_is_awaited() -> None:
    """What was forgotten meanwhile is not offered."""
    asked, go = asyncio.Event(), asyncio.Event()

    async def embed(text: str) -> Sequence[float]:
        asked.set()
        await go.wait()
        return MEANING[text]

    similar = Similar(embed=embed)
    go.set()
    await similar.remember(FAQ, "0", "car")
    go.clear()
    asked.clear()
    asking = asyncio.create_task(similar.offer(FAQ, "car"))
    await asked.wait()
    similar.clear()
    go.set()
    assert await asking is None


@pytest.mark.parametrize(
    "settings", [{"threshold": 0}, {"threshold": 1.1}, {"threshold": math.nan}, {"most": 0}, {"width": 0}]
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    """When it is made."""
    with pytest.raises(ValueError, match=r"threshold|1 or more"):
        Similar(**settings)  # type: ignore[arg-type] - whichever are given
