"""
What goes wrong when the service is asked, in one tree.

Rule 1: decide by the class, or by `Problem.slug` (docs/errors.md explains each); never by a message.
Rule 2: a message may be shown to people; it holds no key and no content.

    HashcacheError
    └── ServiceError
        ├── Unreachable             no answer: no connection, or it broke and trying again did not help
        │   └── TimedOut            the call's deadline passed
        ├── NotHashcache            something answered, but not as hashcache does
        ├── ContentChanged          a file changed while it was read
        └── Problem                 the service says no (RFC 9457)
            ├── RequestProblem      the request is wrong: 400, 404, 405, 431
            ├── NotAllowed          no key, an unknown one, or not its role: 401, 403
            ├── ContentProblem      this content will never do: 413, 415, 422
            ├── BudgetProblem       a budget or rate is used up: 429
            ├── ProviderProblem     the vendor gave no answer: 502, 503, 504
            └── ServiceProblem      the service has no room, no store, ends, or failed: 408, 500, 503
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hashcache.core.errors import HashcacheError

TYPE = "urn:hashcache:problem:"


class ServiceError(HashcacheError):
    """Asking the service gave no answer that could be used."""


class Unreachable(ServiceError):
    """
    No answer came. *maybe_bought*: an upload arrived, as far as anybody can know, so its answer may be bought and
    kept all the same: ask again by hash later.
    """

    def __init__(self, message: str, *, maybe_bought: bool = False) -> None:
        super().__init__(message)
        self.maybe_bought = maybe_bought


class TimedOut(Unreachable):
    """The deadline of the call passed first."""


class NotHashcache(ServiceError):
    """Something answered, but not as hashcache does: is the address right?"""


class ContentChanged(ServiceError):
    """A file is not the one any more that was hashed a moment ago: nothing was bought."""


class Problem(ServiceError):
    """
    The service's own refusal. *slug* ends its type, such as `budget-spent`; *retry_after*: seconds after which trying
    again makes sense, None where it was not said; *request_id* finds it in the service's log; *members*: all of it.
    """

    def __init__(self, slug: str, status: int, members: Mapping[str, Any]) -> None:
        super().__init__(str(members.get("detail") or members.get("title") or slug))
        self.slug = slug
        self.status = status
        self.members = members
        self.title = str(members.get("title") or "")
        self.request_id = members.get("instance")
        after = members.get("retry_after")
        self.retry_after = float(after) if isinstance(after, (int, float)) else None


class RequestProblem(Problem):
    """The request is wrong, or names what does not exist."""


class NotAllowed(Problem):
    """A key is missing, unknown, or has not the role that this needs."""


class ContentProblem(Problem):
    """This content will never do: its kind, its size, or its bytes, for us or for the vendor."""


class BudgetProblem(Problem):
    """A budget is spent, or a rate used up; what is cached is served all the same."""


class ProviderProblem(Problem):
    """The vendor gave no usable answer, or is not asked now."""


class ServiceProblem(Problem):
    """The service has no room, misses its store, is about to end, or has a fault."""


_BY_STATUS: Mapping[int, type[Problem]] = {
    401: NotAllowed,
    403: NotAllowed,
    408: ServiceProblem,
    413: ContentProblem,
    415: ContentProblem,
    422: ContentProblem,
    429: BudgetProblem,
}
_OF_PROVIDER = ("provider-", "outcome-unknown")


def problem_of(slug: str, status: int, members: Mapping[str, Any]) -> Problem:
    """The exception for a problem; a type that this version does not know has the class of its status."""
    if slug.startswith(_OF_PROVIDER):
        return ProviderProblem(slug, status, members)
    fallback = ServiceProblem if status >= 500 else RequestProblem
    return _BY_STATUS.get(status, fallback)(slug, status, members)
