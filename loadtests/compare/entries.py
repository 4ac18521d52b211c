"""
How large an answer lies in Redis: what each of the five vendors says about a content, as an entry and as plain JSON.

Rule 1: the whole way is taken: the vendor's dialect on loopback, its adapter, the service, Redis.
Rule 2: the shapes are the vendors' at a usual size above 1 KB: 110 classes of Hive's, a minute of video by Sightengine,
        a page of text by GPTZero. Numbers have as many digits as the vendors give, drawn by chance: they hardly become
        smaller.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from loadtests.compare import wire
from loadtests.compare.running import Wrong
from loadtests.compare.servers import House
from loadtests.compare.wire import Content, Line
from loadtests.dialects import aiornot, gptzero, hive, reality_defender, sightengine
from loadtests.vendor.dialect import send, told
from loadtests.vendor.received import Request
from loadtests.vendor.server import Exchange, Script, Server

_MAKERS = (
    *(
        "adobefirefly",
        "bria",
        "bytedance",
        "dalle",
        "deepfloyd",
        "emu3",
        "flux",
        "gemini",
        "gptimage",
        "grok",
        "hidream",
    ),
    *(
        "hunyuan",
        "ideogram",
        "imagen",
        "inpainting",
        "kandinsky",
        "kling",
        "krea",
        "leonardo",
        "lcm",
        "luma",
        "minimax",
    ),
    *("moonvalley", "nanobanana", "pika", "pixart", "pixverse", "playground", "qwen", "recraft", "reve", "runway"),
    *("sana", "seedance", "seedream", "sora", "stablediffusion", "sdxl", "stylegan", "titan", "veo", "wan"),
)
GENERATORS = [f"{maker}{version}" for maker in _MAKERS for version in ("", "2", "3")][:104]
_SENTENCE = "Some of the words that a person or a machine may have written about a subject, number {}."


@dataclass(frozen=True)
class Size:
    """The bytes of *vendor*'s answer: as *json*, and as an *entry* in Redis."""

    vendor: str
    json: int
    entry: int


def sizes(house: House) -> list[Size]:
    """Of the five vendors' answers; raises Wrong when one is not kept, or not above 1 KB."""
    return [asyncio.run(_size(house, vendor, make)) for vendor, make in _VENDORS.items()]


async def _size(house: House, vendor: str, make: Callable[[], Any]) -> Size:
    async with make() as (settings, content):
        return await asyncio.to_thread(_bought, house, vendor, settings, content)


def _bought(house: House, vendor: str, settings: dict[str, str], content: Content) -> Size:
    name = f"hashcache-{vendor.replace('_', '-')}"
    server = house.hashcache(name, HASHCACHE_PROVIDER=vendor, **settings)
    with Line(server.port) as line:
        answer = line.ask(wire.upload("/api/analyze", content))
    if answer.status != 200:
        raise Wrong(f"{vendor} was not answered: {answer.status} {answer.body[:500]!r}")
    kept = house.redis.scan_iter(f"hashcache:{name}:*{content.sha256}*", count=1000)
    (entry,) = [raw for raw in (_string(house, key) for key in kept) if raw.startswith(b"HC")]
    # The members of an answer come in one order: the payload lies between these two, as it is.
    plain = answer.body.partition(b',"result":')[2].rpartition(b',"cost":')[0]
    if json.loads(plain)["provider"] != vendor or len(plain) <= 1024:
        raise Wrong(f"the answer of {vendor} has {len(plain)} bytes: it should have more than 1024")
    return Size(vendor, len(plain), len(entry))


def _string(house: House, key: bytes) -> bytes:
    return bytes(house.redis.get(key) or b"") if house.redis.type(key) == b"string" else b""


class _Vendor(Server):
    """A vendor on loopback that does the same with each call."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script = script

    async def answer(self, exchange: Exchange, head: Request) -> None:
        """As it was told."""
        await self._script(exchange, head)

    async def __aenter__(self) -> _Vendor:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


@asynccontextmanager
async def _sightengine() -> AsyncIterator[tuple[dict[str, str], Content]]:
    chance = random.Random(wire.SEED)
    film = sightengine.film(*(round(chance.random(), 3) for _ in range(60)))
    async with _Vendor(sightengine.answer(film)) as vendor:
        yield (
            {
                "SIGHTENGINE_API_USER": sightengine.USER,
                "SIGHTENGINE_API_SECRET": sightengine.SECRET,
                "HASHCACHE_SIGHTENGINE_URL": sightengine.base(vendor.origin),
            },
            Content(b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(2000), "video/mp4"),
        )


@asynccontextmanager
async def _hive() -> AsyncIterator[tuple[dict[str, str], Content]]:
    chance = random.Random(wire.SEED)
    item = hive.item(0.9712, **{name: chance.random() / 1000 for name in GENERATORS})
    async with _Vendor(hive.answer(hive.output(item))) as vendor:
        yield {"HIVE_API_KEY": hive.KEY, "HASHCACHE_HIVE_URL": hive.base(vendor.origin)}, wire.content(3000)


@asynccontextmanager
async def _aiornot() -> AsyncIterator[tuple[dict[str, str], Content]]:
    chance = random.Random(wire.SEED)

    def picture(request: Request) -> Any:
        document = aiornot.image(request)
        document["report"]["ai_generated"]["generator"] = {
            name: {"is_detected": False, "confidence": chance.random()} for name in _MAKERS[:24]
        }
        return document

    async with _Vendor(aiornot.speaks(picture)) as vendor:
        yield {"AIORNOT_API_KEY": aiornot.KEY, "HASHCACHE_AIORNOT_URL": vendor.origin}, wire.content(3000)


@asynccontextmanager
async def _gptzero() -> AsyncIterator[tuple[dict[str, str], Content]]:
    chance = random.Random(wire.SEED)

    def page(request: Request) -> Any:
        document = gptzero.answer(request)
        (told,) = document["documents"]
        usual = told["sentences"][0]
        told["sentences"] = [
            usual
            | {
                "sentence": _SENTENCE.format(number),
                "generated_prob": chance.random(),
                "perplexity": chance.randrange(200),
                "class_probabilities": {name: chance.random() for name in ("human", "ai", "paraphrased")},
            }
            for number in range(20)
        ]
        return document

    text = " ".join(_SENTENCE.format(number) for number in range(20))
    async with _Vendor(gptzero.speaks(page)) as vendor:
        yield (
            {"GPTZERO_API_KEY": gptzero.KEY, "HASHCACHE_GPTZERO_URL": vendor.origin},
            Content(text.encode(), "text/plain"),
        )


@asynccontextmanager
async def _reality_defender() -> AsyncIterator[tuple[dict[str, str], Content]]:
    chance = random.Random(wire.SEED)
    trees = ("oak", "pine", "cedar", "elm", "fir", "yew", "ash", "birch", "larch", "maple")
    models = [
        {
            "name": f"rd-{tree}-img",
            "status": "AUTHENTIC",
            "predictionNumber": chance.random(),
            "finalScore": chance.randrange(100),
            "data": None,
        }
        for tree in trees
    ]
    memory = reality_defender.RealityDefender()

    async def business(exchange: Exchange, head: Request) -> None:
        request = await exchange.read(head)
        if reality_defender.step(head) == reality_defender.RESULT:
            result = reality_defender.analysed(head.path.rpartition("/")[2], models=models)
            await send(exchange, told(200, result))
        else:
            await send(exchange, memory.objection(request) or memory.analyse(request))

    async with _Vendor(business) as vendor:
        yield (
            {
                "REALITY_DEFENDER_API_KEY": reality_defender.KEY,
                "HASHCACHE_REALITY_DEFENDER_URL": vendor.origin,
            },
            wire.content(3000),
        )


_VENDORS: dict[str, Callable[[], Any]] = {
    "sightengine": _sightengine,
    "hive": _hive,
    "aiornot": _aiornot,
    "gptzero": _gptzero,
    "reality_defender": _reality_defender,
}
