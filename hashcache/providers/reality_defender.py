"""
Reality Defender: an ensemble of deepfake detectors for images and videos, asked in three steps.

    POST /api/files/aws-presigned    {"fileName": ...} -> a signed URL and a request id
    PUT  the signed URL              the bytes, without our key: it goes to the vendor's storage
    GET  /api/media/users/{id}       every few seconds, until there is a result

Rule 1: nothing is billed before the bytes have arrived; from then on the scan is due, and every failure is possibly
        paid. An upload whose acknowledgement was lost is asked for, not repeated.
Rule 2: the signed URL is a secret: it is in no error, log, receipt or answer. The receipt is the request id.

How an answer is read: `ensemble`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

from hashcache.core.content import Content, Kind
from hashcache.core.entry import Instant
from hashcache.core.errors import (
    ProviderDenied,
    ProviderError,
    ProviderFailed,
    ProviderInvalid,
    ProviderRejected,
    ProviderThrottled,
    ProviderTimeout,
)
from hashcache.core.key import Question
from hashcache.ports import Answer, Body, Estimate, Pending, Terms
from hashcache.providers.access import Access
from hashcache.providers.calls import Lines, Reply
from hashcache.providers.destinations import check_destination
from hashcache.providers.documents import aside, read_json
from hashcache.providers.ensemble import MODEL, at, is_unfinished, read_result
from hashcache.providers.formats import Payload, json, neutral_name, plain
from hashcache.providers.limits import Limits, as_planned, check, sentences
from hashcache.providers.reading import written

NAME = "reality_defender"
#: The version of our reading of an answer; raised whenever the same answer would give another result.
ADAPTER = 1
UNITS = {"scans": 1}

#: The first pause before asking for the result, what each further one is longer, and the longest, in seconds.
FIRST_PAUSE, LONGER, LONGEST_PAUSE = 2.0, 1.5, 10.0
#: How often in a row asking may fail, or find nothing under the request id, before the scan is given up.
MOST_MISSED = 5
#: How long one asking for the result may take.
ASKING = timedelta(seconds=15)
#: As many scans are remembered as asked for; one that is forgotten begins with the first pause again.
MOST_AWAITED = 1000

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{7,127}")
#: Of a 400: the account, not the content.
_NO_PLAN = ("free-tier-not-allowed", "upload-limit-reached")

#: The published limits differ between the vendor's page and its libraries: these are the smaller ones.
LIMITS: Mapping[Kind, Limits] = {
    Kind.IMAGE: Limits(frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"}), most_bytes=10_000_000),
    Kind.VIDEO: Limits(frozenset({"video/mp4", "video/quicktime"}), most_bytes=100_000_000),
}


@dataclass(frozen=True, slots=True)
class _Awaited:
    """A scan: how often it was *asked* for, and how often in a row that *missed*."""

    asked: int = 0
    missed: int = 0

    @property
    def pause(self) -> float:
        """Seconds until it is asked for again."""
        return min(FIRST_PAUSE * LONGER ** min(self.asked, 20), LONGEST_PAUSE)


class RealityDefenderProvider:
    """The vendor's API with the account *access*. Implements `ports.Provider`; *clock*, *random* as for `generic`."""

    def __init__(self, access: Access, *, clock: Callable[[], Instant], random: Callable[[], float]) -> None:
        self._access = access
        self._clock = clock
        self._limits = as_planned(LIMITS, access)
        self._headers = {"X-API-KEY": access.key}
        self._awaited: dict[str, _Awaited] = {}
        timeout, concurrency, tls = access.timeout, access.concurrency, access.tls
        self._api = Lines(NAME, timeout=timeout, concurrency=concurrency, random=random, tls=tls)
        # Uploads are long and go to another machine: no question for a result waits for their lines or their pauses.
        self._storage = Lines(NAME, timeout=timeout, concurrency=concurrency, random=random, tls=tls)

    @property
    def name(self) -> str:
        """`reality_defender`."""
        return NAME

    @property
    def kinds(self) -> frozenset[Kind]:
        """Images and videos."""
        return frozenset(LIMITS)

    def question(self, kind: Kind, tenant: str) -> Question:
        """The request says nothing but the content; the threshold changes how its answer is read."""
        parameters = {"ai_above": repr(float(self._access.ai_above))}
        return Question(kind, tenant, NAME, MODEL, adapter=ADAPTER, parameters=parameters)

    @property
    def terms(self) -> Terms:
        """One scan each; the vendor publishes no price that we know."""
        return Terms("scan", self._access.price, limits=sentences(self._limits), ai_above=self._access.ai_above)

    async def estimate(self, content: Content, body: Body) -> Estimate:
        """
        One scan.

        Raises:
            ProviderRejected: its format, size or duration is beyond the limits.
        """
        await check(NAME, self._limits, content, body)
        return Estimate(self._access.price, UNITS)

    async def start(self, content: Content, body: Body) -> Pending:
        """
        Upload the content; the receipt is the vendor's request id.

        Raises:
            ProviderError: one of its kinds; possibly paid only once all bytes may have arrived.
        """
        now = asyncio.get_running_loop().time
        deadline = now() + self._access.patience(content.kind).total_seconds()
        try:
            receipt, signed = await self._presigned(content)
            await check_destination(NAME, signed, own=self._access.url)
        except ProviderError as error:
            error.possibly_paid = False  # rule 1
            raise
        await self._upload(signed, content, body, timedelta(seconds=max(deadline - now(), 0.001)))
        return Pending(receipt, timedelta(seconds=FIRST_PAUSE))

    async def resume(self, receipt: str) -> Answer | Pending:
        """
        Ask for the result of an upload.

        Raises:
            ProviderError: one of its kinds; possibly paid.
        """
        if not _REQUEST_ID.fullmatch(receipt):
            raise ProviderInvalid(NAME, f"that is no receipt of {NAME}")
        awaited = self._awaited.pop(receipt, _Awaited())
        try:
            found = await self._ask(receipt, awaited)
        except ProviderError as error:
            error.possibly_paid = True  # rule 1
            raise
        return found

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()
        await self._storage.close()

    async def _presigned(self, content: Content) -> tuple[str, str]:
        """The request id, and where to upload."""
        url = f"{self._access.url}/api/files/aws-presigned"
        payload = json({"fileName": neutral_name(content.media_type)})
        patience = self._access.patience(content.kind)
        reply = await self._api.post(url, payload, self._headers, timeout=patience, explain=_explained)
        document = read_json(NAME, reply.body)
        receipt, signed = at(document, "requestId"), at(document, "response", "signedUrl")
        if not isinstance(receipt, str) or not _REQUEST_ID.fullmatch(receipt) or not isinstance(signed, str):
            raise ProviderInvalid(NAME, f"{NAME} did not say where to upload")
        return receipt, signed

    async def _upload(self, signed: str, content: Content, body: Body, timeout: timedelta) -> None:
        """Send the bytes; returns as well when they were all sent and only the acknowledgement is missing."""
        upload = _Upload(plain(content.media_type, body))
        try:
            await self._storage.put(signed, upload.payload, {}, timeout=timeout)
        except (ProviderDenied, ProviderRejected):
            # The signature, not our account or this content, is what storage looks at.
            raise ProviderFailed(NAME, f"the storage of {NAME} refused the upload") from None
        except (ProviderFailed, ProviderInvalid, ProviderTimeout) as error:
            if not (error.possibly_paid and upload.whole):
                error.possibly_paid = False
                raise

    async def _ask(self, receipt: str, awaited: _Awaited) -> Answer | Pending:
        """One asking; what fails in passing is asked again, since the scan is due already."""
        try:
            reply = await self._api.get(f"{self._access.url}/api/media/users/{receipt}", self._headers, timeout=ASKING)
        except ProviderRejected:
            raise ProviderInvalid(NAME, f"{NAME} refuses to be asked for its result") from None
        except (ProviderFailed, ProviderThrottled, ProviderTimeout) as error:
            if awaited.missed >= MOST_MISSED:
                raise
            return self._pending(receipt, awaited, missed=awaited.missed + 1, least=error.retry_after or 0.0)
        if reply.status == 404:  # usual for a moment after the upload
            if awaited.missed >= MOST_MISSED:
                raise ProviderInvalid(NAME, f"{NAME} does not know the upload that it took")
            return self._pending(receipt, awaited, missed=awaited.missed + 1)
        found = await aside(lambda: self._answer(receipt, reply), size=len(reply.body))
        return found if found is not None else self._pending(receipt, awaited, missed=0)

    def _answer(self, receipt: str, reply: Reply) -> Answer | None:
        """What *reply* says of the scan with that *receipt*; None: it is not finished."""
        document = read_json(NAME, reply.body)
        if is_unfinished(NAME, document):
            return None
        if at(document, "requestId") not in (None, receipt):
            raise ProviderInvalid(NAME, f"{NAME} sent the answer for another upload")
        result = read_result(NAME, document, ai_above=self._access.ai_above, analysed_at=written(self._clock()))
        return Answer(result, self._access.price, UNITS)

    def _pending(self, receipt: str, awaited: _Awaited, *, missed: int, least: float = 0.0) -> Pending:
        """Later, after *least* seconds or more."""
        while len(self._awaited) >= MOST_AWAITED:
            del self._awaited[next(iter(self._awaited))]
        self._awaited[receipt] = _Awaited(awaited.asked + 1, missed)
        return Pending(receipt, timedelta(seconds=max(self._awaited[receipt].pause, least)))


class _Upload:
    """A *payload* that knows whether the *whole* of it was taken to be sent."""

    def __init__(self, payload: Payload) -> None:
        self.whole = False
        self._inner = payload
        self.payload = Payload(payload.headers, self._chunks)

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._inner.chunks()) as chunks:
            async for chunk in chunks:
                yield chunk
        self.whole = True


def _explained(status: int, body: bytes) -> ProviderError | None:
    """A 400 may mean the plan, not the content."""
    try:
        code = at(read_json(NAME, body), "code")
    except ProviderInvalid:
        return None
    if status == 400 and code in _NO_PLAN:
        return ProviderDenied(NAME, f"{NAME} refuses our account ({code}): check its plan")
    return None
