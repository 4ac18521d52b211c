"""The load test's own parts: a load test that counts wrongly, or reaches a hosted store, would be worse than none."""

import os
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from hashcache.core.content import Kind, sniff
from loadtests.expectations import Ledger, Run, shortcomings, summary
from loadtests.loopback import NotLoopback, require_loopback
from loadtests.plan import MONTHS, Month, picture
from loadtests.run import local_store

ROOT = Path(__file__).resolve().parents[2]
SMALL = MONTHS["small"]
CENT = Decimal("0.01")


@pytest.mark.parametrize(("name", "analyses", "distinct"), [("small", 1_000, 300), ("large", 10_000, 2_500)])
def test_a_month_has_exactly_its_repeats(name: str, analyses: int, distinct: int) -> None:
    """1,000 analyses with 70 % repeats are 300 pictures; 10,000 with 75 % are 2,500; the order is always the same."""
    order = MONTHS[name].order()
    assert len(order) == analyses
    assert set(order) == set(range(distinct))
    assert order == MONTHS[name].order()
    assert order != MONTHS[name].order(seed=1)


def test_repeats_come_early_and_late() -> None:
    """The plan is shuffled: repeats do not wait until everything was bought."""
    assert len(set(SMALL.order()[:300])) < 300


def test_each_number_is_one_picture() -> None:
    """2,500 numbers are 2,500 different PNGs, the same in every run."""
    pictures = Counter(picture(number) for number in range(2_500))
    assert set(pictures.values()) == {1}
    assert len(pictures) == 2_500
    assert picture(7) == picture(7)
    assert sniff(picture(7)) == (Kind.IMAGE, "image/png")


def test_a_picture_can_be_decoded() -> None:
    """It is a picture to others, too."""
    from io import BytesIO

    from PIL import Image

    with Image.open(BytesIO(picture(7))) as opened:
        opened.load()
        assert opened.size == (32, 32)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000",
        "http://127.8.9.1",
        "http://localhost:8000/x",
        "http://[::1]:8000",
        "redis://user:secret@127.0.0.1:6379/0",
    ],
)
def test_loopback_is_accepted(url: str) -> None:
    """Each way to write this machine."""
    assert require_loopback(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "https://eu1-cat.upstash.io",
        "rediss://default:secret@eu1-cat.upstash.io:6379",
        "redis://127.0.0.1@example.com",
        "redis+cluster://127.0.0.1:7000,example.com:7000",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://[::1",
        "127.0.0.1:8000",
        "off",
        "",
    ],
)
def test_elsewhere_is_refused_without_its_password(url: str) -> None:
    """Whatever merely looks like this machine is refused, and a password is not repeated."""
    with pytest.raises(NotLoopback) as refused:
        require_loopback(url)
    assert "secret" not in str(refused.value)


def test_a_store_is_taken_from_this_machine_only() -> None:
    """Files and memory are here by nature; a Redis must be on loopback."""
    for here in ("", "sqlite:////tmp/x.sqlite3", "memory://", "redis://127.0.0.1:6379/0"):
        assert local_store(here) == here
    with pytest.raises(NotLoopback):
        local_store("rediss://eu1-cat.upstash.io:6379")


GOOD_RUN = Run(answered=1_000, failures=0)
GOOD_LEDGER = Ledger(calls=300, contents=300, price=CENT)


def test_a_good_month_is_summed_up() -> None:
    """No shortcoming, and the seed's figures."""
    assert shortcomings(SMALL, GOOD_RUN, GOOD_LEDGER) == []
    assert summary(GOOD_RUN, GOOD_LEDGER) == (
        "1000 analyses, 300 distinct, 300 paid calls, $10.00 without the cache, $3.00 with it, 70 % less"
    )


@pytest.mark.parametrize(
    ("run", "ledger"),
    [
        (Run(answered=999, failures=1), GOOD_LEDGER),
        (Run(answered=999, failures=0), GOOD_LEDGER),
        (GOOD_RUN, Ledger(calls=301, contents=300, price=CENT)),
        (GOOD_RUN, Ledger(calls=299, contents=299, price=CENT)),
        (Run(answered=0, failures=0), Ledger(calls=0, contents=0, price=CENT)),
    ],
)
def test_a_bad_month_fails(run: Run, ledger: Ledger) -> None:
    """A failure, a missing answer, one call too many, one too few, nothing at all."""
    assert shortcomings(SMALL, run, ledger)


def test_nothing_sent_can_be_summed_up() -> None:
    """A run that sent nothing still tells its line."""
    assert "0 % less" in summary(Run(answered=0, failures=0), Ledger(calls=0, contents=0, price=CENT))


def test_a_store_elsewhere_ends_the_command_before_anything_starts() -> None:
    """Exit code 2 and a sentence that names the host, not the password."""
    environment = {"PATH": os.defpath, "HASHCACHE_STORE": "rediss://default:secret@eu1-cat.upstash.io:6379"}
    command = [sys.executable, "-m", "loadtests.run", "--locust", "locust"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "'eu1-cat.upstash.io' is not on this machine" in ended.stderr
    assert "secret" not in ended.stderr


def test_a_month_of_any_size_is_exact() -> None:
    """Percentages that do not divide evenly still give a whole month."""
    month = Month(analyses=7, repeats=50)
    assert month.distinct == 4
    assert len(month.order()) == 7
    assert set(month.order()) == set(range(4))
