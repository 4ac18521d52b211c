"""
`SyncCache`: the same cache for code without an event loop.

Rule: no logic of its own: a `Cache` lives on an event loop in a thread of ours (`thread`), and each call waits for it.
      Functions run in the threads that call them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from hashcache import wiring
from hashcache.integrations.answering import Answering
from hashcache.integrations.cache import Cache
from hashcache.integrations.figures import Stats
from hashcache.integrations.guarding import UserKeys
from hashcache.integrations.keys import Keys
from hashcache.integrations.listening import Invalidated
from hashcache.integrations.offering import SyncNearest
from hashcache.integrations.prefetching import Prefetch
from hashcache.integrations.similar import Embed
from hashcache.integrations.thread import CacheThread
from hashcache.integrations.threads import ThreadRun
from hashcache.integrations.types import DEFAULT, Duration, Type
from hashcache.integrations.values import Codec
from hashcache.integrations.warming import Warmed
from hashcache.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class SyncCache:
    """What `Cache` is, for plain functions; opened and closed by `with`. Each method does what that of `Cache` does."""

    def __init__(  # noqa: PLR0913 - what may be said of a cache, by keyword
        self,
        store: str,
        *,
        environment: str = "dev",
        secret: str = "",
        encrypt: bool = False,
        near_bytes: int = 64_000_000,
        max_entry: int = 1_000_000,
        types: Iterable[Type] = (),
        user_keys: UserKeys | None = None,
        prefetch: Prefetch | None = None,
    ) -> None:
        self._cache = Cache(
            store,
            environment=environment,
            secret=secret,
            encrypt=encrypt,
            near_bytes=near_bytes,
            max_entry=max_entry,
            types=types,
            user_keys=user_keys,
            prefetch=prefetch,
        )
        self._thread = CacheThread(self._cache.answering)

    @classmethod
    def from_settings(
        cls,
        settings: Settings | Mapping[str, str],
        *,
        types: Iterable[Type] = (),
        user_keys: UserKeys | None = None,
        prefetch: Prefetch | None = None,
    ) -> Self:
        """As `Cache.from_settings`."""
        cache = cls("off")
        cache._cache = Cache.from_settings(settings, types=types, user_keys=user_keys, prefetch=prefetch)
        cache._thread = CacheThread(cache._cache.answering)
        return cache

    def __enter__(self) -> Self:
        """Start the thread and open the cache in it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let what runs end and keep it, then close."""
        self.stop()

    def start(self, store: wiring.Shared | None = None) -> None:
        """Open it, on *store* or on that of its settings; RuntimeError when it is open."""
        self._thread.start(store)

    def stop(self) -> None:
        """Close it. Safe to call twice."""
        self._thread.stop()

    def keep_open(self) -> None:
        """
        Open it, unless it is open in this process: for servers that fork their workers and tell nobody when one begins.
        Safe to call as often as one likes, by any thread. It stays open until `stop`, or until the process ends; what
        is being refreshed in the background at that moment is lost, and nothing else.
        """
        self._thread.keep_open()

    @property
    def answering(self) -> Answering:
        """What is below: for `hashcache.testing` and integrations, not for applications."""
        return self._cache.answering

    @property
    def is_enabled(self) -> bool:
        """Whether anything is kept at all."""
        return self._cache.is_enabled

    def get(self, key: str, *, user: str | None = None, codec: Codec | None = None) -> Any:
        """What is kept under *key*; None, when nothing is or the store is away."""
        return self.run(self._cache.get(key, user=user, codec=codec))

    def set(
        self,
        key: str,
        value: Any,
        *,
        type: Type | str = DEFAULT,  # noqa: A002 - the word of those who use it
        ttl: Duration | None = None,
        tags: tuple[str, ...] = (),
        user: str | None = None,
        codec: Codec | None = None,
    ) -> bool:
        """Keep *value* under *key*; whether it is kept."""
        return self.run(self._cache.set(key, value, type=type, ttl=ttl, tags=tags, user=user, codec=codec))

    def get_or_load(
        self,
        key: str,
        load: Callable[[], T],
        *,
        type: Type | str = DEFAULT,  # noqa: A002 - as above
        ttl: Duration | None = None,
        tags: tuple[str, ...] = (),
        user: str | None = None,
        codec: Codec | None = None,
        refresh: bool = False,
    ) -> T:
        """What is kept under *key*, else what the plain *load* gives, which runs in this thread."""
        opened = self._thread.reachable()
        run = ThreadRun(load, opened.refreshes)
        answer: T = run.ask(
            opened.loop,
            self._cache.get_or_load(
                key, run.run, type=type, ttl=ttl, tags=tags, user=user, codec=codec, refresh=refresh
            ),
        )
        return answer

    def delete(self, key: str, *, user: str | None = None) -> bool:
        """Forget *key*; whether anything was kept under it."""
        return self.run(self._cache.delete(key, user=user))

    def forget(self, function: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forget the answer of this call of a decorated *function*; whether there was one."""
        return self.run(self._cache.forget(function, *args, **kwargs))

    def invalidate(
        self,
        pattern: str | None = None,
        *,
        type: Type | str | None = None,  # noqa: A002 - as above
        tag: str | None = None,
        user: str | None = None,
        reason: str = "",
    ) -> int:
        """Forget all that fits everything that is said; how many entries are gone so far."""
        return self.run(self._cache.invalidate(pattern, type=type, tag=tag, user=user, reason=reason))

    def publish_invalidation(
        self,
        pattern: str | None = None,
        *,
        type: Type | str | None = None,  # noqa: A002 - as above
        tag: str | None = None,
        user: str | None = None,
        reason: str = "",
    ) -> int:
        """As `invalidate`; how many other processes listened."""
        return self.run(self._cache.publish_invalidation(pattern, type=type, tag=tag, user=user, reason=reason))

    def clear(self, *, reason: str = "") -> int:
        """Forget everything that the library keeps in this environment."""
        return self.run(self._cache.clear(reason=reason))

    def on_invalidate(self, callback: Callable[[Invalidated], None]) -> Callable[[], None]:
        """Call *callback*, in the cache's own thread, whenever something is invalidated; how to end that."""
        return self._cache.on_invalidate(callback)

    def stats(self) -> Stats:
        """What this process did since the cache was opened, and what the store holds."""
        return self.run(self._cache.stats())

    def warm(
        self,
        calls: Iterable[Callable[[], Any]],
        *,
        progress: Callable[[Warmed], None] | None = None,
        at_once: int = 8,
    ) -> Warmed:
        """Make *calls* before anybody asks, *at_once* of them at a time, in threads."""
        return self.run(self._cache.warm(calls, progress=progress, at_once=at_once))

    def cached(
        self,
        type: Type | str = DEFAULT,  # noqa: A002 - as above
        *,
        ttl: Duration | None = None,
        key: str | Keys | Callable[..., str] | None = None,
        tags: tuple[str, ...] = (),
        unless: Callable[[Any], bool] | None = None,
        per: str | Callable[..., object] | None = None,
        codec: Codec | None = None,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """A decorator that keeps a plain function's answers."""
        decorate: Callable[[Callable[P, R]], Callable[P, R]] = self._cache.cached(
            type, ttl=ttl, key=key, tags=tags, unless=unless, per=per, codec=codec
        )
        return lambda function: decorate(_plain(function))

    def invalidates(
        self,
        *types: Type | str,
        tag: str | None = None,
        key: str | Keys | None = None,
        pattern: str | Keys | None = None,
        per: str | Callable[..., object] | None = None,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """A decorator for a plain write, which forgets after it succeeded."""
        decorate: Callable[[Callable[P, R]], Callable[P, R]] = self._cache.invalidates(
            *types, tag=tag, key=key, pattern=pattern, per=per
        )
        return lambda function: decorate(_plain(function))

    def similar(
        self,
        function: Callable[P, Any],
        by: str,
        *,
        threshold: float = 0.9,
        most: int = 1000,
        embed: Embed | None = None,
    ) -> SyncNearest[P]:
        """What offers the answers of *function* to calls whose argument *by* is nearly the same."""
        return SyncNearest(self._cache.similar(function, by, threshold=threshold, most=most, embed=embed), self.run)

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """What *work* gives on the cache's own loop."""
        return self._thread.run(work)


def _plain(function: Callable[P, R]) -> Callable[P, R]:
    if inspect.iscoroutinefunction(function):
        raise TypeError(f"{function.__qualname__} is async: it needs a Cache; a SyncCache is for plain functions")
    return function
