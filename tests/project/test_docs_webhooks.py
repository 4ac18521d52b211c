"""docs/webhooks.md says what the code does: its receiver verifies what we sign, and its figures are ours."""

from __future__ import annotations

import base64
import re
import time
from datetime import timedelta
from pathlib import Path

import pytest

from hashcache.core.signature import signatures
from hashcache.postman import DEADLINE
from hashcache.service.delivery import LONGEST_WISH, PAUSES
from hashcache.service.webhooks import KEPT
from tests.harness.mailbox import OTHER_SECRET, SECRET

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
BODY = b'{"type":"analysis.completed","data":{"a":"\xc3\xa9"}}'


def test_the_receiver_of_the_page() -> None:
    """The Python code takes what we sign, by either of two secrets, and nothing that is old, changed or moved."""
    names: dict[str, object] = {}
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code, names)  # noqa: S102 - it is our own page
    verify = names["verify"]
    assert callable(verify)
    now = int(time.time())  # noqa: TID251 - the page's receiver asks the same clock
    keys = [base64.b64decode(one.removeprefix("whsec_")) for one in (SECRET, OTHER_SECRET)]

    def headers(at: int = now, name: str = "msg_1") -> dict[str, str]:
        signed = signatures(keys, "msg_1", at, BODY)
        return {"webhook-id": name, "webhook-timestamp": str(at), "webhook-signature": signed}

    for secret in (SECRET, OTHER_SECRET):
        verify(secret, headers(), BODY)
    unknown = "whsec_" + base64.b64encode(b"x" * 24).decode()
    for secret, told, body in (
        (unknown, headers(), BODY),
        (SECRET, headers(), BODY + b" "),
        (SECRET, headers(now - 400), BODY),
        (SECRET, headers(now + 400), BODY),
        (SECRET, headers(name="msg_2"), BODY),
        (SECRET, {**headers(), "webhook-timestamp": str(now - 1)}, BODY),
    ):
        with pytest.raises(ValueError, match=r"old|signed"):
            verify(secret, told, body)


def test_the_figures_of_the_page() -> None:
    """How often, after how long, and until when."""
    text = " ".join(PAGE.split())
    assert len(PAUSES) + 1 == 8
    assert "8 times in all: after 5 s, 1 and 5 minutes, half an hour, 2, 6 and 15 hours" in text
    assert [pause / timedelta(minutes=1) for pause in PAUSES[1:]] == [1, 5, 30, 120, 360, 900]
    assert f"within {DEADLINE.seconds} seconds" in text
    assert timedelta(hours=24) == LONGEST_WISH
    assert timedelta(days=3) == KEPT
    assert "up to 24 hours" in text
    assert "after three days" in text
