"""
What a scripted vendor has received, for the test that asks.

Rule: requests are kept, their contents never: an upload of any size may be tested.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

from loadtests.vendor.received import Request


@dataclass
class Ledger:
    """What arrived complete, in order; how many calls each content cost; bytes *received* as content."""

    requests: list[Request] = field(default_factory=list)
    by_digest: Counter[str] = field(default_factory=Counter)
    received: int = 0

    @property
    def calls(self) -> int:
        """Calls that a vendor would bill."""
        return len(self.requests)

    @property
    def contents(self) -> int:
        """Distinct contents among them."""
        return len(self.by_digest)

    def note(self, request: Request) -> None:
        """One more call."""
        self.requests.append(request)
        self.by_digest[request.content] += 1
        self.received += request.size

    def encoded(self) -> bytes:
        """As JSON, for other processes."""
        document = {"calls": self.calls, "contents": self.contents, "bytes": self.received, "by_digest": self.by_digest}
        return json.dumps(document).encode()
