"""
Users apart: the same question of another user is another entry, and an answer that is nobody's is not kept.

    python docs/examples/05_users_apart.py [STORE]

It prints:

    ann: ['ann saw this', 'ann saw this']
    bob: ['bob saw this', 'bob saw this']
    nobody: ['None saw this', 'None saw this']
    ran for: ann, bob, None, None
    after hers are forgotten: ann, bob, None, None, ann
    who forgets per= is told so: type 'user' is kept for each user: say whose it is, such as per='user_id'
"""

from __future__ import annotations

import asyncio
import sys

from hashcache import Cache

cache = Cache(sys.argv[1] if sys.argv[1:] else "memory://", environment="example-05")
ran: list[str | None] = []


@cache.cached("user", per="user_id")  # of these, each user has his own
async def inbox(user_id: str | None, folder: str = "new") -> str:
    ran.append(user_id)
    return f"{user_id} saw this"


async def main() -> None:
    async with cache:
        await cache.clear()
        print("ann:", [await inbox("ann") for _ in range(2)])
        print("bob:", [await inbox("bob") for _ in range(2)])
        print("nobody:", [await inbox(None) for _ in range(2)])
        print("ran for:", ", ".join(map(str, ran)))
        await cache.invalidate(user="ann")  # all of hers, and nobody else's
        await inbox("ann")
        await inbox("bob")
        print("after hers are forgotten:", ", ".join(map(str, ran)))
    try:
        cache.cached("user")(len)
    except TypeError as error:
        print("who forgets per= is told so:", error)


asyncio.run(main())
