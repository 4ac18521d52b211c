"""Where a vendor may make us send a content: to the open internet over TLS, and nowhere else."""

import pytest

from hashcache.core.errors import ProviderInvalid
from hashcache.providers.destinations import LONGEST, check_destination

VENDOR = "https://api.vendor.example"
SECRET = "canary-signature-9e77"

REFUSED = {
    "loopback": "https://127.0.0.1/x",
    "loopback by name": "https://localhost/x",
    "loopback of IPv6": "https://[::1]/x",
    "loopback in IPv6": "https://[::ffff:127.0.0.1]/x",
    "loopback as one number": "https://2130706433/x",
    "loopback in short": "https://127.1/x",
    "this host": "https://0.0.0.0/x",
    "a private network": "https://10.1.2.3/x",
    "another one": "https://192.168.0.1:8443/x",
    "of a provider": "https://100.64.0.1/x",
    "a unique local address": "https://[fd00::1]/x",
    "the metadata of a cloud": "https://169.254.169.254/latest/meta-data",
    "link-local of IPv6": "https://[fe80::1]/x",
    "multicast": "https://224.0.0.1/x",
    "not encrypted": "http://93.184.216.34/x",
    "a file": "file:///etc/passwd",
    "another protocol": "ftp://93.184.216.34/x",
    "no protocol": "93.184.216.34/x",
    "no host": "https:///x",
    "a user": "https://user:word@93.184.216.34/x",
    "a port that is none": "https://93.184.216.34:port/x",
    "a host that is none": "https://\x00/x",
    "nothing": "",
    "too long": "https://93.184.216.34/" + "x" * LONGEST,
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_not_public_is_refused(case: str) -> None:
    """With the reason, and without a part of the address."""
    url = REFUSED[case]
    with pytest.raises(ProviderInvalid, match="named an address for the upload that is") as raised:
        await check_destination("acme", f"{url}?X-Amz-Signature={SECRET}" if url else url, own=VENDOR)
    assert not raised.value.possibly_paid
    assert SECRET not in repr(raised.value)
    assert "passwd" not in repr(raised.value)


@pytest.mark.parametrize("url", ["https://93.184.216.34/x", "https://93.184.216.34:8443/x", "https://[2606:4700::1]/x"])
async def test_what_is_public_is_allowed(url: str) -> None:
    """Over TLS, whatever the port."""
    await check_destination("acme", f"{url}?X-Amz-Signature={SECRET}", own=VENDOR)


@pytest.mark.parametrize("own", ["http://127.0.0.1:8080", "http://localhost:8080/v1", "http://[::1]:8080"])
async def test_a_vendor_on_loopback_may_name_loopback(own: str) -> None:
    """A test or a gateway of the operator's; but no other private address, and the open internet only over TLS."""
    for url in ("http://127.0.0.1:9000/x", "https://localhost/x", "https://93.184.216.34/x"):
        await check_destination("acme", url, own=own)
    for url in ("http://10.1.2.3/x", "https://10.1.2.3/x", "http://93.184.216.34/x"):
        with pytest.raises(ProviderInvalid):
            await check_destination("acme", url, own=own)


@pytest.mark.parametrize("own", ["https://10.0.0.1", "https://localhost.example", "https://127.0.0.1.example"])
async def test_nobody_else_may_name_loopback(own: str) -> None:
    """A private gateway, or a name that only looks like loopback."""
    for url in ("http://127.0.0.1:9000/x", "https://127.0.0.1:9000/x"):
        with pytest.raises(ProviderInvalid):
            await check_destination("acme", url, own=own)
