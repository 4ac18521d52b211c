"""
Stale, where that is better than late: an expired answer is given at once while a new one is computed, or while
computing one fails.

    python docs/examples/09_stale.py [STORE]

It prints:

    rate 1 is computed
    rate 1, expired, given at once
    rate 2, computed behind our back
    forecast: sunny
    forecast, expired, the weather station is down: sunny
"""

from __future__ import annotations

import asyncio
import sys

from hashcache import Cache, Type

RATES = Type("rates", ttl=0.5, stale=60)  # seconds; in earnest perhaps 300 and 60
FORECASTS = Type("forecasts", ttl=0.5, stale_if_error=3600)

cache = Cache(sys.argv[1] if sys.argv[1:] else "memory://", environment="example-09", types=[RATES, FORECASTS])
world: dict[str, list[str]] = {"rates": [], "station": ["sunny"]}  # what is outside, and changes


@cache.cached("rates")
async def rate(currency: str) -> int:
    world["rates"].append(currency)
    return len(world["rates"])


@cache.cached("forecasts")
async def forecast(city: str) -> str:
    if not world["station"]:
        raise ConnectionError("the weather station is down")
    return world["station"][0]


async def main() -> None:
    async with cache:
        await cache.clear()
        print(f"rate {await rate('EUR')} is computed")
        await asyncio.sleep(0.6)
        print(f"rate {await rate('EUR')}, expired, given at once")
        while await rate("EUR") == 1:
            await asyncio.sleep(0.01)
        print("rate 2, computed behind our back")
        print("forecast:", await forecast("Berlin"))
        world["station"].clear()
        await asyncio.sleep(0.6)
        print("forecast, expired, the weather station is down:", await forecast("Berlin"))


asyncio.run(main())
