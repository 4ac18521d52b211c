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
from hashcache.ports.ledger import Batch, Ledger, Minute, Process
from hashcache.ports.observer import Observer
from hashcache.ports.provider import Answer, Body, Estimate, Pending, Provider, Terms
from hashcache.ports.sessions import Session, Sessions
from hashcache.ports.store import OLDEST, TOMBSTONE, Bid, Claim, Page, Reading, Slot, Store, StoreHealth

__all__ = [
    "OLDEST",
    "TOMBSTONE",
    "Accounts",
    "Answer",
    "Attempt",
    "Batch",
    "Bid",
    "Body",
    "Breaker",
    "Channel",
    "Claim",
    "Day",
    "Estimate",
    "Granted",
    "Health",
    "Ledger",
    "Minute",
    "Observer",
    "Page",
    "Pending",
    "Process",
    "Provider",
    "Reading",
    "Reason",
    "Refused",
    "Rules",
    "Session",
    "Sessions",
    "Settlement",
    "Slot",
    "Store",
    "StoreHealth",
    "Terms",
    "Traffic",
]
