"""From where a request comes, as far as this office's own proxies vouch for it."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The address that the limits count: the network's /64 for IPv6, since one subscriber holds all of it.

    Behind the office's own proxies (``DOUDI_PROXIES``) it is what the outermost of them saw; what a client writes
    into X-Forwarded-For itself is never believed.
    """
    seen = request.META.get("REMOTE_ADDR", "")
    if settings.PROXIES:
        said = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        passed = [part.strip() for part in said if part.strip()]
        if len(passed) >= settings.PROXIES:
            seen = passed[-settings.PROXIES]
    try:
        address = ipaddress.ip_address(seen)
    except ValueError:
        return seen or "?"
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
