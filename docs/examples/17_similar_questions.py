"""
Similar questions: an answer to nearly the same words is offered as such, never taken for the answer.

    python docs/examples/17_similar_questions.py [STORE]

It prints:

    How do I reset the password of my account for the shop on the web?
        asked: answer 1
    how do i reset the password of my account, for the shop on the web
        near (distance 0.00): answer 1
    How do I reset the password of my account for this shop on the web?
        near (distance 0.07): answer 1
    How do I close my account?
        asked: answer 2
    Where is order 17?
        asked: answer 3
    Where is order 18?
        asked: answer 4
"""

from __future__ import annotations

import asyncio
import sys

from hashcache import Cache, Keys
from hashcache.integrations.similar import Scope, Similar

ANSWERS = Keys("answers:{question}")
SCOPE = Scope("compact_results")
QUESTIONS = (
    "How do I reset the password of my account for the shop on the web?",
    "how do i reset the password of my account, for the shop on the web",
    "How do I reset the password of my account for this shop on the web?",
    "How do I close my account?",
    "Where is order 17?",
    "Where is order 18?",  # another number is another question
)

cache = Cache(sys.argv[1] if sys.argv[1:] else "memory://", environment="example-17")
similar = Similar(threshold=0.9)
asked: list[str] = []


@cache.cached("compact_results", key=ANSWERS)
async def model(question: str) -> str:
    asked.append(question)
    return f"answer {len(asked)}"


async def answer(question: str) -> str:
    """What is known of a question that is nearly *question*, with its distance; else what the model says."""
    near = await similar.offer(SCOPE, question)
    if near is not None:
        known = await cache.get(near.key)
        if known is not None:
            return f"{near.match} (distance {near.distance:.2f}): {known}"
        similar.forget(SCOPE, near.key)
    given = await model(question)
    await similar.remember(SCOPE, ANSWERS.key(question=question), question)
    return f"asked: {given}"


async def main() -> None:
    async with cache:
        await cache.clear()
        for question in QUESTIONS:
            print(question)
            print("   ", await answer(question))


asyncio.run(main())
