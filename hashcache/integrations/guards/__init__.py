"""What stands between an answer and the store: a search for secrets, and encryption under a user's own key."""

from hashcache.integrations.guards.guard import Guard, OnSecret, Redacted, Verdict, find_secrets, redact
from hashcache.integrations.guards.sealing import UserSealer

__all__ = ["Guard", "OnSecret", "Redacted", "UserSealer", "Verdict", "find_secrets", "redact"]
