"""
Everything that hashcache raises on purpose, in one tree.

Rule 1: an error says what happened in the words of its own floor; HTTP statuses are `api/problems`' business.
Rule 2: a library's exception is translated once, where it enters (stores, providers, the spool).
Rule 3: no message holds a secret, a body or a stack; each may be shown to the caller.

    HashcacheError
    ├── SettingsError               a setting is unknown, malformed or contradicts another
    ├── ContentError                the upload cannot be analysed, whoever is asked
    │   ├── EmptyContent
    │   ├── ContentTooLarge
    │   └── UnsupportedContent      its kind is not one of ours
    │       └── TextNotUtf8
    ├── MoneyError                  not an amount of money
    ├── PatternError                not a pattern or selector
    ├── EntryRefused                stored bytes that do not verify; always treated as a miss
    ├── StoreUnavailable            the store did not answer (in time); never fails a purchase
    ├── SpoolFull                   no room for the bytes of an upload
    ├── Stopping                    this process ends and takes no new work
    └── ProviderError               the paid (or embedded) analysis gave no answer
        ├── ProviderRejected        the vendor's own limit or rule: this content will never do
        ├── ProviderInvalid         it answered, but not with an answer
        ├── ProviderFailed          its server failed, or could not be reached
        ├── ProviderThrottled       it asks us to come back later
        ├── ProviderDenied          it refuses our account: key, payment or rights
        ├── ProviderTimeout         our deadline passed first: possibly paid
        ├── ProviderDown            it failed so often that it is not asked now
        ├── BudgetSpent             a budget of the operator's is spent: it is not asked
        └── OutcomeUnknown          an earlier call for the same died under way, and another is not wanted
"""

from __future__ import annotations


class HashcacheError(Exception):
    """The root: whoever catches it catches everything that is raised here on purpose."""


class SettingsError(HashcacheError):
    """A setting is unknown, malformed or contradicts another; the message names it and shows an example."""


class ContentError(HashcacheError):
    """What was uploaded cannot be analysed, whoever is asked."""


class EmptyContent(ContentError):
    """No byte was uploaded."""


class ContentTooLarge(ContentError):
    """More bytes than allowed; *limit* is the allowed number of bytes."""

    def __init__(self, message: str, *, limit: int) -> None:
        super().__init__(message)
        self.limit = limit


class UnsupportedContent(ContentError):
    """The bytes are of no kind that hashcache knows."""


class TextNotUtf8(UnsupportedContent):
    """Declared as text, but not UTF-8 without NUL."""


class MoneyError(HashcacheError):
    """Not an amount of money in US dollars with at most six decimals."""


class PatternError(HashcacheError):
    """Not a pattern that names entries."""


class EntryRefused(HashcacheError):
    """Stored bytes that do not verify; *reason* is a word for the counters, such as `checksum`."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"stored entry refused: {reason}")
        self.reason = reason


class StoreUnavailable(HashcacheError):
    """The store did not answer in time, or refused; *reason* is a word for the counters."""

    def __init__(self, message: str, *, reason: str = "unreachable") -> None:
        super().__init__(message)
        self.reason = reason


class SpoolFull(HashcacheError):
    """There is no room to keep the bytes of this upload."""


class Stopping(HashcacheError):
    """This process is about to end: what would have to be bought is left to another one."""


class ProviderError(HashcacheError):
    """
    No answer from *provider*; *possibly_paid* tells whether the vendor may bill the call all the same.

    *retry_after*: seconds after which asking again makes sense, where that is known.
    """

    retry_after: float | None = None

    def __init__(self, provider: str, message: str, *, possibly_paid: bool = False) -> None:
        super().__init__(message)
        self.provider = provider
        self.possibly_paid = possibly_paid


class ProviderRejected(ProviderError):
    """The vendor's own limit or rule: asking again with the same content is useless."""


class ProviderInvalid(ProviderError):
    """It answered with something that is not an answer: wrong shape, out of range, too large, a redirect."""


class ProviderFailed(ProviderError):
    """Its server failed, or no connection could be made."""


class ProviderThrottled(ProviderError):
    """It asks us to come back in *retry_after* seconds (None: it did not say)."""

    def __init__(self, provider: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(provider, message)
        self.retry_after = retry_after


class ProviderDenied(ProviderError):
    """It refuses our account: wrong key, no credit, missing rights. Nobody's upload is at fault."""


class ProviderTimeout(ProviderError):
    """Our deadline passed before it answered; the call may have been billed."""


class ProviderDown(ProviderError):
    """It failed so often, or refused our account, that nobody in the fleet asks it for *retry_after* seconds."""

    def __init__(self, provider: str, message: str, *, retry_after: float) -> None:
        super().__init__(provider, message)
        self.retry_after = retry_after


class BudgetSpent(ProviderError):
    """The call would pass *budget* (its scope, such as `tenant=acme`); *resets* is when it begins anew, RFC 3339."""

    def __init__(self, provider: str, message: str, *, budget: str, resets: str, retry_after: float) -> None:
        super().__init__(provider, message)
        self.budget = budget
        self.resets = resets
        self.retry_after = retry_after


class OutcomeUnknown(ProviderError):
    """A process died in the middle of a paid call for the same question, and the operator wants no second one."""

    def __init__(self, provider: str, message: str, *, retry_after: float) -> None:
        super().__init__(provider, message)
        self.retry_after = retry_after
