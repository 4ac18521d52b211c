"""
Many files through the service: named in threads, asked for by the hundred, and only what is not known is uploaded.

Rule 1: one question for BATCH files, so a folder that is known costs a request for each BATCH of them.
Rule 2: the same bytes under several names are uploaded once.
Rule 3: what is wrong with one file is told of that file and stops no other; a service that does not answer stops all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import IO, Any

import msgspec

from hashcache.cli.tables import amount, size
from hashcache.client import Analysis, AsyncClient, Cost, Found, Problem, ServiceError
from hashcache.client.asynchronous import named
from hashcache.client.contents import Content
from hashcache.core.result import Verdict

BATCH = 500
_NOTHING = Cost(spent_usd=Decimal(0), saved_usd=Decimal(0))
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Told:
    """What came of one file: *known* by its hash, or *analysed* by an upload, or an *error*."""

    path: str
    sha256: str | None = None
    known: Found | None = None
    analysed: Analysis | None = None
    error: Exception | None = None

    @property
    def verdict(self) -> Verdict | None:
        """The verdict, if there is one."""
        result = self.known or self.analysed
        return result.result.verdict if result is not None and result.result is not None else None


@dataclass
class Totals:
    """What all of it came to."""

    files: int = 0
    known: int = 0
    uploaded: int = 0
    failed: int = 0
    sent: int = 0
    spent: Decimal = Decimal(0)
    saved: Decimal = Decimal(0)
    verdicts: set[Verdict] = field(default_factory=set)

    def add(self, told: Told) -> None:
        """Count *told*."""
        self.files += 1
        if told.verdict is not None:
            self.verdicts.add(told.verdict)
        if told.error is not None:
            self.failed += 1
        elif told.analysed is not None and told.analysed.uploaded:
            self.uploaded += 1
            self.sent += told.analysed.uploaded
        else:
            self.known += 1
        if told.analysed is not None:
            self.spent += told.analysed.cost.spent_usd
            self.saved += told.analysed.cost.saved_usd

    def __str__(self) -> str:
        files = "1 file" if self.files == 1 else f"{self.files:,} files"
        sent = f" ({size(self.sent)})" if self.uploaded else ""
        failed = f", {self.failed:,} failed" if self.failed else ""
        return (
            f"{files}: {self.known:,} known, {self.uploaded:,} uploaded{sent}{failed}, "
            f"{amount(self.spent)} spent, {amount(self.saved)} saved"
        )


class Uploading:
    """
    Files to be analysed by the service behind *client*, at most *concurrency* at a time. *totals* grow while
    `analysed` is read; *on_progress* hears of uploads: path, bytes sent, size. *stdin* is what `-` means.
    """

    def __init__(
        self,
        client: AsyncClient,
        *,
        concurrency: int,
        refresh: bool = False,
        stdin: IO[bytes] | None = None,
        on_progress: Progress | None = None,
    ) -> None:
        self.totals = Totals()
        self._client = client
        self._places = asyncio.Semaphore(concurrency)
        self._refresh = refresh
        self._stdin = stdin
        self._on_progress = on_progress

    async def analysed(self, paths: Sequence[str]) -> AsyncIterator[Told]:
        """
        What comes of each of *paths*, in their order.

        Raises:
            ServiceError: the service cannot be asked at all.
        """
        for at in range(0, len(paths), BATCH):
            batch = paths[at : at + BATCH]
            contents = await asyncio.gather(*map(self._named, batch))
            known = await self._known([one for one in contents if isinstance(one, Content)])
            uploads: dict[str, asyncio.Task[Told]] = {}
            try:
                for path, content in zip(batch, contents, strict=True):
                    if isinstance(content, Content) and content.sha256 not in known and content.sha256 not in uploads:
                        uploads[content.sha256] = asyncio.create_task(self._uploaded(path, content))
                for path, content in zip(batch, contents, strict=True):
                    told = await self._told(path, content, known, uploads)
                    self.totals.add(told)
                    yield told
            finally:
                for upload in uploads.values():
                    upload.cancel()
                await asyncio.gather(*uploads.values(), return_exceptions=True)

    async def _told(
        self,
        path: str,
        content: Content | Exception,
        known: dict[str, Found],
        uploads: dict[str, asyncio.Task[Told]],
    ) -> Told:
        if isinstance(content, Exception):
            return Told(path, error=content)
        found = known.get(content.sha256)
        if found is not None:
            # The same bytes under another name save nothing more: they were asked for once.
            known[content.sha256] = msgspec.structs.replace(found, cost=_NOTHING)
            return Told(path, content.sha256, known=found)
        told = await uploads[content.sha256]
        if told.path == path or told.analysed is None:
            return Told(path, told.sha256, analysed=told.analysed, error=told.error)
        one = told.analysed  # the same bytes under another name: nothing was sent or spent for this one
        same = Found(sha256=one.sha256, status="known", kind=one.kind, result=one.result, problem=None, cost=_NOTHING)
        return Told(path, content.sha256, known=same)

    async def _named(self, path: str) -> Content | Exception:
        async with self._places:
            try:
                return await named(self._stdin if path == "-" and self._stdin is not None else path)
            except OSError as error:
                return error

    async def _known(self, contents: Sequence[Content]) -> dict[str, Found]:
        if self._refresh or not contents:
            return {}
        answer = await self._client.lookup([one.sha256 for one in contents])
        self.totals.saved += answer.cost.saved_usd
        return {one.sha256: one for one in answer.found if one.status == "known"}

    async def _uploaded(self, path: str, content: Content) -> Told:
        def progress(sent: int, total: int) -> None:
            if self._on_progress is not None:
                self._on_progress(path, sent, total)

        async with self._places:
            try:
                # Whoever else uploads the same, or has just failed with it, is heard of by the question before.
                analysis = await self._client.analyze(content, refresh=self._refresh, on_progress=progress)
            except (ServiceError, OSError) as error:
                return Told(path, content.sha256, error=error)
            return Told(path, content.sha256, analysed=analysis)


def as_json(told: Told) -> dict[str, Any]:
    """*told* as `--json` prints it: an analysis as the service gives it, with the path; or what went wrong."""
    error = told.error
    if error is None:
        one = told.analysed
        found = one or told.known
        return {
            "path": told.path,
            "success": True,
            "cached": one.cached if one is not None else True,
            "uploaded": one.uploaded if one is not None else 0,
            "kind": found.kind if found is not None else None,
            "sha256": told.sha256,
            "result": found.result if found is not None else None,
            "cost": found.cost if found is not None else None,
            "problem": None,
        }
    problem = {"slug": error.slug if isinstance(error, Problem) else None, "detail": reason(error)}
    unknown = dict.fromkeys(("cached", "uploaded", "kind"))
    return {
        "path": told.path, "success": False, **unknown, "sha256": told.sha256, "result": None, "cost": None,
        "problem": problem,
    }  # fmt: skip


def reason(error: Exception) -> str:
    """*error* on one line."""
    return " ".join(str((error.strerror if isinstance(error, OSError) else None) or error).split())
