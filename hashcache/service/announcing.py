"""When a load is under way: what a caller waits for who does not wait for its answer."""

from __future__ import annotations

from collections.abc import Callable

from hashcache.engine.load import Kept, Load, Loaded


class Announced:
    """*load*, which calls *begun* as soon as it buys (its claim is in the store then), or is not needed."""

    def __init__(self, load: Load, begun: Callable[[], None]) -> None:
        self._load = load
        self._begun = begun

    async def __call__(self, token: str) -> Loaded:
        """Buy the answer, or raise LoadFailed."""
        self._begun()
        return await self._load(token)

    async def kept(self, how: Kept, *, duplicate: bool) -> None:
        """What became of the answer."""
        await self._load.kept(how, duplicate=duplicate)

    async def close(self) -> None:
        """Free what the load holds: another one's answer will do, or this one was bought."""
        self._begun()
        await self._load.close()
