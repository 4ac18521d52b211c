"""
Which addresses are the open internet: whoever lets strangers name a destination sends to nothing else.

Rule: what is not known to be public is not. An address that stands for another one is as public as that one, where it
      can be told (RFC 6052), and else not at all (IPv4-mapped, 6to4, Teredo).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

#: The unicast addresses that are given out (IANA, IPv6 Global Unicast Address Assignments).
_UNICAST = IPv6Network("2000::/3")
#: An IPv4 address as a NAT64 is asked for it (RFC 6052 section 2.1).
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Whether *address* is one of the open internet: neither private nor local nor shared nor for many at once."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    stands_for_another = address.sixtofour is not None or address.teredo is not None
    return address in _UNICAST and address.is_global and not stands_for_another
