"""
The seams of the house, as Protocols: what the engine, the service and the pages ask of the technologies below.

Rule 1: an implementation raises only errors of `core.errors`; a store's are all `StoreUnavailable`.
Rule 2: each verb of a Store is one atomic act.
Rule 3: every verb has a deadline of its own; none waits for ever.
"""

from hashcache.ports.channel import Channel, Traffic
from hashcache.ports.ledger import Batch, Ledger, Minute, Process
from hashcache.ports.observer import Observer
from hashcache.ports.provider import Answer, Body, Pending, Provider
from hashcache.ports.store import OLDEST, TOMBSTONE, Bid, Claim, Page, Reading, Slot, Store, StoreHealth

__all__ = [
    "OLDEST",
    "TOMBSTONE",
    "Answer",
    "Batch",
    "Bid",
    "Body",
    "Channel",
    "Claim",
    "Ledger",
    "Minute",
    "Observer",
    "Page",
    "Pending",
    "Process",
    "Provider",
    "Reading",
    "Slot",
    "Store",
    "StoreHealth",
    "Traffic",
]
