"""How a webhook is signed: as the specification and its own libraries sign."""

from __future__ import annotations

import base64
import secrets

from hypothesis import given
from hypothesis import strategies as st

from hashcache.core.signature import signatures
from tests.harness.mailbox import signature

# The vector of the libraries of github.com/standard-webhooks (libraries/python/tests/test_webhooks.py, and the same in
# those of the other languages).
SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE, TIMESTAMP, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
EXPECTED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_vector_of_the_specification() -> None:
    """What each library of Standard Webhooks makes of it, we make of it."""
    assert signatures([base64.b64decode(SECRET)], MESSAGE, TIMESTAMP, BODY) == EXPECTED


def test_each_secret_signs() -> None:
    """Two secrets: two signatures, parted by a blank, the first secret's first."""
    other = secrets.token_bytes(24)
    told = signatures([base64.b64decode(SECRET), other], MESSAGE, TIMESTAMP, BODY).split(" ")
    assert told == [EXPECTED, signatures([other], MESSAGE, TIMESTAMP, BODY)]


@given(st.binary(min_size=24, max_size=64), st.integers(0, 2**40), st.binary())
def test_a_receiver_comes_to_the_same(secret: bytes, timestamp: int, body: bytes) -> None:
    """Whatever the secret, the time and the bytes: one that was written after the specification agrees."""
    shown = f"whsec_{base64.b64encode(secret).decode()}"
    assert signatures([secret], "msg_1", timestamp, body) == signature(shown, "msg_1", str(timestamp), body)
