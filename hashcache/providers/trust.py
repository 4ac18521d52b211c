"""
Whom a line to a vendor trusts.

Rule: only TLS lines can be made to trust anybody; what a line without TLS is given trusts nobody, should it be misused.
"""

from __future__ import annotations

import ssl

import httpx


def trusted() -> ssl.SSLContext:
    """Whom we trust: the public authorities, whatever the environment says. Takes some 60 ms to make."""
    return httpx.create_ssl_context(trust_env=False)


def nobody() -> ssl.SSLContext:
    """For lines without TLS: if one were ever used with it, nobody would be trusted."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
