"""What the pages without log-in share: where somebody is, and a mark of the device that counts tries."""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry

DEVICE_COOKIE = "doudi_device"
_DAY = 24 * 3600


def township_of(request: HttpRequest) -> tuple[str, dict[str, Any]]:
    """The township that links have chosen, '' where there is still something to choose, and the choices to show."""
    at = request.POST.get("at", request.GET.get("at", ""))[:12]
    served = monitoring.served_counties()
    if not at and len(served) == 1:
        at = served[0][0]
    county = next((code for code, _name in served if at[:6] == code), "")
    townships = registry.children(county) if county else []
    township = next((code for code, _name in townships if at[:9] == code), "")
    return township, {"choices": townships or served, "county": county, "several": len(served) > 1}


def device_of(request: HttpRequest) -> str:
    """The mark that an earlier answer left on this device, '' where there is none."""
    return request.COOKIES.get(DEVICE_COOKIE, "")[:64]


def mark_device(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The answer, with a mark for a device that has none yet: it says nothing of the person and lasts a day."""
    if DEVICE_COOKIE not in request.COOKIES:
        response.set_cookie(
            DEVICE_COOKIE,
            secrets.token_hex(16),
            max_age=_DAY,
            httponly=True,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )
    return response
