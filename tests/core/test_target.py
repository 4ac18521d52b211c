"""What is a URL for a webhook, and what is none."""

from __future__ import annotations

import pytest

from hashcache.core.errors import WebhookRefused
from hashcache.core.target import LONGEST, Origin, Target

UNDERSTOOD = {
    "https://example.com": (Origin("https", "example.com", 443), "/"),
    "https://example.com/": (Origin("https", "example.com", 443), "/"),
    "HTTPS://Example.COM:443/A?b=C": (Origin("https", "example.com", 443), "/A?b=C"),
    "https://example.com?x": (Origin("https", "example.com", 443), "/?x"),
    "https://example.com:8443/a//../b": (Origin("https", "example.com", 8443), "/a//../b"),
    "https://xn--bcher-kva.example/@x:y": (Origin("https", "xn--bcher-kva.example", 443), "/@x:y"),
    "https://[2606:4700:0:0::1]/": (Origin("https", "[2606:4700::1]", 443), "/"),
    "http://127.0.0.1:9000/": (Origin("http", "127.0.0.1", 9000), "/"),
    "http://localhost/": (Origin("http", "localhost", 80), "/"),
    "http://[::1]:80/": (Origin("http", "[::1]", 80), "/"),
}


@pytest.mark.parametrize("text", UNDERSTOOD)
def test_what_is_understood(text: str) -> None:
    """To the character; written again it means the same."""
    target = Target.parse(text)
    assert (target.origin, target.path) == UNDERSTOOD[text]
    assert Target.parse(str(target)) == target


@pytest.mark.parametrize(
    "text",
    [
        *("", " https://example.com", "https://example.com\n", "https:/example.com", "https://", "https:///x"),
        *("//example.com", "example.com", "ftp://example.com", "javascript:alert(1)", "file:///etc/passwd"),
        *("http://example.com/", "http://10.0.0.1/", "http://localhost.example.com/", "http://127.0.0.1.nip.io/"),
        *("https://u@example.com", "https://u:p@example.com", "https://example.com#f", "https://example.com/#"),
        *("https://example.com:0", "https://example.com:65536", "https://example.com:", "https://example.com:+1"),
        *("https://example.com:443:443", "https://a b.com", "https://exa\u00adple.com", "https://bücher.example"),
        *(
            "https://example.com./",
            "https://-a.com",
            "https://a_b.com",
            "https://%31%32.com",
            "https://[::1",
            "https://::1/",
        ),
        *("https://[1.2.3.4]/", "https://[fe80::1%25eth0]/", "https://[:::]/", "https://example.com\\@evil.com"),
        *("https://example.com/\\", "https://example.com/a b", "https://example.com/%", "https://example.com/%zz"),
        *("https://example.com/\x00", "https://example.com/é", "https://example.com/<", 'https://example.com/"'),
        *(
            "http\u017f://example.com/",
            "https://example.com/\u212a",
            "https://\u212a.example/",
            "https://\uff41.example/",
        ),
        "https://example.com/" + "x" * LONGEST,
    ],
)
def test_what_is_refused(text: str) -> None:
    """With words that do not repeat it."""
    with pytest.raises(WebhookRefused) as raised:
        Target.parse(text)
    assert len(text) < 9 or text not in str(raised.value)


def test_how_an_origin_is_shown() -> None:
    """As in a field Host: without the port that goes without saying."""
    assert str(Origin("https", "a.example", 443)) == "https://a.example"
    assert Origin("https", "a.example", 80).authority == "a.example:80"


def test_what_is_this_machine() -> None:
    """By a loopback address or the one name of it; not by names that look alike."""
    local = ["127.0.0.1", "127.1.2.3", "[::1]", "localhost"]
    others = ["127.1", "localhost.example", "[::ffff:127.0.0.1]", "10.0.0.1", "example.com"]
    others.append("0.0.0.0")  # noqa: S104 - named, bound by nobody
    assert all(Origin("https", host, 443).local for host in local)
    assert not any(Origin("https", host, 443).local for host in others[:3] + others[4:])
