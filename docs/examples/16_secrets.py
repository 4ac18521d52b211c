"""
Secrets: an answer in which one is found is given to who asked, and not kept; data that must not be kept never are.

    python docs/examples/16_secrets.py [STORE]

It prints:

    harmless: ran 1 time for 2 questions
    with a key in it: ran 2 times for 2 questions
    found: {'aws_access_key_id': 1}
    redacted: {"log": "uploaded with [secret: aws_access_key_id]"}
    letters: type 'letters' is personal data, which is not kept
    stock: type 'stock' is real-time data, which is out of date as soon as it is kept
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter

from hashcache import Cache, Type
from hashcache.integrations.guards import find_secrets, redact

LETTERS, STOCK = Type("letters", personal=True), Type("stock", realtime=True)

cache = Cache(sys.argv[1] if sys.argv[1:] else "memory://", environment="example-16", types=[LETTERS, STOCK])
ran: Counter[str] = Counter()
KEY = "AKIA" + "Q3EJX7NB2TLM5WRC"  # the shape of a key, and nobody's


def is_secret(answer: dict[str, str]) -> bool:
    """Whether *answer* holds a token of a vendor's, a private key, a JWT, or a password in a URL."""
    return bool(find_secrets(json.dumps(answer).encode()))


@cache.cached("mcp_readonly", unless=is_secret)
async def last_log(job: str) -> dict[str, str]:
    ran[job] += 1
    return {"log": f"uploaded with {KEY}" if job == "upload" else "compiled"}


async def main() -> None:
    async with cache:
        await cache.clear()
        for job in ("compile", "upload"):
            for _ in range(2):
                await last_log(job)
    times = "time" if ran["compile"] == 1 else "times"
    print(f"harmless: ran {ran['compile']} {times} for 2 questions")
    print(f"with a key in it: ran {ran['upload']} times for 2 questions")
    answer = json.dumps({"log": f"uploaded with {KEY}"}).encode()
    print("found:", dict(find_secrets(answer)))
    clean = redact(answer)
    print("redacted:", clean.payload.decode() if clean else "cannot be cleaned")
    for kind in (LETTERS, STOCK):
        print(f"{kind.name}: {kind.refusal}")


asyncio.run(main())
