"""
`Cache`: the whole engine for the functions of an application, on its event loop.

    cache = Cache("redis://localhost:6379/0")

    @cache.cached("dashboard", per="user_id")
    async def dashboard(user_id: int) -> dict[str, Any]: ...

    async with cache:
        await dashboard(7)

Rule 1: a store that is away raises nothing here: `get` gives None, `set` False, functions run.
Rule 2: nothing is kept for ever.
Rule 3: no globals: a cache is made, opened, closed, and may be opened again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from hashcache.integrations import functions, names, warming, writes
from hashcache.integrations.answering import Answering
from hashcache.integrations.asked import asked_of
from hashcache.integrations.figures import Stats
from hashcache.integrations.functions import Wishes
from hashcache.integrations.guarding import UserKeys
from hashcache.integrations.keys import Keys
from hashcache.integrations.listening import Invalidated
from hashcache.integrations.loads import FunctionLoad
from hashcache.integrations.offering import Nearest
from hashcache.integrations.prefetching import Prefetch
from hashcache.integrations.similar import Embed, Similar
from hashcache.integrations.types import DEFAULT, Duration, Type
from hashcache.integrations.values import Codec, Values
from hashcache.integrations.warming import Warmed
from hashcache.settings import Settings, load

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Cache:
    """
    Answers kept in *store*: `redis://`, `rediss://`, `sqlite:///path`, `memory://`, `off`, or any other URL that
    HASHCACHE_STORE takes. *environment* keeps what shares a store apart; *secret* signs entries, *encrypt* also hides
    them; *near_bytes* bounds memory, *max_entry* what is kept of one answer; *types* are known by name beside
    `hashcache.TYPES`, or instead of the one of the same name. *user_keys* gives the keys of a user, the newest first,
    for types that encrypt (`on_secret`). *prefetch*: popular answers are computed anew before they expire.

    Raises (when made):
        SettingsError: the store, or another of these, is malformed.
    """

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
        variables = {"HASHCACHE_STORE": store, "HASHCACHE_ENV": environment, "HASHCACHE_SECRET": secret}
        variables |= {"HASHCACHE_NEAR_BYTES": str(near_bytes), "HASHCACHE_MAX_ENTRY": str(max_entry)}
        variables |= {"HASHCACHE_ENCRYPT": str(int(encrypt))}
        #: What is below: for `hashcache.testing` and integrations, not for applications.
        self.answering = Answering(load(variables), types, user_keys, prefetch)

    @classmethod
    def from_settings(
        cls,
        settings: Settings | Mapping[str, str],
        *,
        types: Iterable[Type] = (),
        user_keys: UserKeys | None = None,
        prefetch: Prefetch | None = None,
    ) -> Self:
        """
        The cache that *settings* describe, or the environment variables that docs/settings.md lists.

        Raises:
            SettingsError: a variable is unknown or malformed.
        """
        cache = cls.__new__(cls)
        known = settings if isinstance(settings, Settings) else load(settings)
        cache.answering = Answering(known, types, user_keys, prefetch)
        return cache

    async def __aenter__(self) -> Self:
        """Open it on the running event loop. Never raises because the store is away."""
        await self.answering.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let what runs end and keep it, then close."""
        await self.answering.close()

    @property
    def is_enabled(self) -> bool:
        """Whether anything is kept at all: a store is configured."""
        return self.answering.settings.store != "off"

    async def get(self, key: str, *, user: str | None = None, codec: Codec | None = None) -> Any:
        """What is kept under *key*, for everybody or for *user*; None, when nothing is or the store is away."""
        value, _ = await self.answering.look(names.key_of(key, user), Values(codec=codec), user)
        return value

    async def set(
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
        """
        Keep *value* under *key* for *ttl*, else for the TTL of its *type*, else for 600 s; whether it is kept.

        What is being computed under the same key is older than *value*, and does not replace it.

        Raises:
            ValueError, TypeError: the TTL is not positive; the value would not come back as it is.
        """
        values = Values(codec=codec)
        values.encode(value)  # raises before anything else happens

        async def given() -> Any:
            return value

        asked = asked_of(key, self.answering.type_of(type).with_ttl(ttl), tags, user, values)
        return await self.answering.put(asked, FunctionLoad(given, values, asked.kind.negatives))

    async def get_or_load(
        self,
        key: str,
        load: Callable[[], Awaitable[T]],
        *,
        type: Type | str = DEFAULT,  # noqa: A002 - as above
        ttl: Duration | None = None,
        tags: tuple[str, ...] = (),
        user: str | None = None,
        codec: Codec | None = None,
        refresh: bool = False,
    ) -> T:
        """
        What is kept under *key*, else what *load* gives: it runs once, however many ask at the same moment in however
        many processes. *refresh*: it runs anyway, and replaces what is kept.

        Raises:
            Exception: what *load* raises. TimeoutError: the type's patience is over.
        """
        asked = asked_of(key, self.answering.type_of(type).with_ttl(ttl), tags, user, Values(codec=codec))
        run = FunctionLoad(load, asked.values, asked.kind.negatives)
        answer: T = await self.answering.answer(asked, run, refresh=refresh)
        return answer

    async def delete(self, key: str, *, user: str | None = None) -> bool:
        """Forget *key*, in every process; whether anything was kept under it."""
        return await self.answering.forget([names.key_of(key, user)]) > 0

    async def forget(self, function: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forget the answer of this call of a decorated *function*; whether there was one."""
        asked = functions.question_of(function).of(args, kwargs)
        return asked is not None and await self.answering.forget([asked.key]) > 0

    async def invalidate(
        self,
        pattern: str | None = None,
        *,
        type: Type | str | None = None,  # noqa: A002 - as above
        tag: str | None = None,
        user: str | None = None,
        reason: str = "",
    ) -> int:
        """
        Forget all that fits everything that is said, in every process; how many entries are gone so far (more follow
        within seconds when there are many). In a *pattern* `*` is the only wildcard; without one it means that key and
        those below it. 0 when the store is away: nothing was forgotten.
        """
        deleted, _ = await self.answering.invalidate(names.meant(pattern, self._name(type), tag, user), reason)
        return deleted

    async def publish_invalidation(
        self,
        pattern: str | None = None,
        *,
        type: Type | str | None = None,  # noqa: A002 - as above
        tag: str | None = None,
        user: str | None = None,
        reason: str = "",
    ) -> int:
        """As `invalidate`; how many other processes listened."""
        _, listeners = await self.answering.invalidate(names.meant(pattern, self._name(type), tag, user), reason)
        return listeners

    async def clear(self, *, reason: str = "") -> int:
        """Forget everything that the library keeps in this environment; the service's own analyses stay."""
        deleted, _ = await self.answering.invalidate(names.selector(), reason)
        return deleted

    def on_invalidate(self, callback: Callable[[Invalidated], None]) -> Callable[[], None]:
        """Call *callback*, on the loop, whenever something is invalidated by whatever process; how to end that."""
        self.answering.callbacks.append(callback)
        return lambda: self.answering.callbacks.remove(callback)

    async def stats(self) -> Stats:
        """What this process did since the cache was opened, and what the store holds."""
        return await self.answering.stats()

    async def warm(
        self,
        calls: Iterable[Callable[[], Any]],
        *,
        progress: Callable[[Warmed], None] | None = None,
        at_once: int = 8,
    ) -> Warmed:
        """
        Make *calls* (such as `partial(dashboard, 7)`) before anybody asks, *at_once* of them at a time. *progress* is
        told after each. One that raises is logged and counted; the others go on.
        """
        return await warming.warm(calls, progress=progress, at_once=at_once)

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
        """
        A decorator that keeps a function's answers, as *type* says, or for *ttl*.

        *key*: a template filled with arguments by name, Keys, or what makes a key of the arguments; without one all
        arguments count. *tags*: templates. *unless*: given an answer, whether it is not to be kept. *per*: the name of
        the argument that tells whose answer it is, or what makes that of the arguments; for nobody (None) nothing is
        kept. *codec*: how answers become bytes; else as JSON of the annotated type.

        A plain function is called in a thread other than the loop's.

        Raises:
            TypeError, ValueError: what is said does not fit the function.
        """
        kind = self.answering.type_of(type).with_ttl(ttl)
        wishes = Wishes(kind=kind, key=key, tags=tags, unless=unless, per=per, codec=codec)
        return lambda function: functions.cached(self.answering, function, wishes)

    def invalidates(
        self,
        *types: Type | str,
        tag: str | None = None,
        key: str | Keys | None = None,
        pattern: str | Keys | None = None,
        per: str | Callable[..., object] | None = None,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """
        A decorator for a write: after it succeeded, and only then, everything of these *types*, everything with the
        *tag*, the entry under *key* (the shared one, or that of *per*), and everything that fits the *pattern* is
        forgotten in every process. All three are templates filled with arguments by name.

        Raises:
            TypeError, ValueError: what is said does not fit the function.
        """
        kinds = tuple(self.answering.type_of(one) for one in types)
        return lambda function: writes.invalidates(
            self.answering, function, writes.Targets(function, kinds, tag=tag, key=key, pattern=pattern, per=per)
        )

    def similar(
        self,
        function: Callable[P, Any],
        by: str,
        *,
        threshold: float = 0.9,
        most: int = 1000,
        embed: Embed | None = None,
    ) -> Nearest[P]:
        """
        What offers the answers of a decorated *function* to calls whose argument *by* is nearly the same short text,
        from *threshold* on: by their words, or by what *embed* makes of them. *most* texts are remembered.
        """
        return Nearest(self.answering, function, by, Similar(threshold, total=most, most=most, embed=embed))

    def _name(self, kind: Type | str | None) -> str | None:
        return None if kind is None else self.answering.type_of(kind).name
