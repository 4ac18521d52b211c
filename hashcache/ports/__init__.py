"""
The seams of the house, as Protocols: what the engine, the service and the pages ask of the technologies below.

Rule 1: an implementation raises only errors of `core.errors`; a store's are all `StoreUnavailable`.
Rule 2: each verb of a Store is one atomic act.
Rule 3: every verb has a deadline of its own; none waits for ever.
"""

from hashcache.ports.accounts import (
    Accounts,
    Attempt,
    Breaker,
    Day,
    Granted,
    Health,
    Reason,
    Refused,
    Rules,
    Settlement,
)
from hashcache.ports.channel import Channel, Traffic
from hashcache.ports.checkup import StoreFacts
from hashcache.ports.ledger import Batch, Ledger, Minute, Process
from hashcache.ports.observer import REQUEST, Observer, WebhookObserver
from hashcache.ports.outbox import Bounds, Full, Outbox, Sealed, Taken
from hashcache.ports.postman import Posted, Postman
from hashcache.ports.provider import Answer, Body, Estimate, Pending, Provider, Terms
from hashcache.ports.sessions import Session, Sessions
from hashcache.ports.store import OLDEST, TOMBSTONE, Bid, Claim, Page, Reading, Slot, Store, StoreHealth

__all__ = [
    "OLDEST",
    "REQUEST",
    "TOMBSTONE",
    "Accounts",
    "Answer",
    "Attempt",
    "Batch",
    "Bid",
    "Body",
    "Bounds",
    "Breaker",
    "Channel",
    "Claim",
    "Day",
    "Estimate",
    "Full",
    "Granted",
    "Health",
    "Ledger",
    "Minute",
    "Observer",
    "Outbox",
    "Page",
    "Pending",
    "Posted",
    "Postman",
    "Process",
    "Provider",
    "Reading",
    "Reason",
    "Refused",
    "Rules",
    "Sealed",
    "Session",
    "Sessions",
    "Settlement",
    "Slot",
    "Store",
    "StoreFacts",
    "StoreHealth",
    "Taken",
    "Terms",
    "Traffic",
    "WebhookObserver",
]
