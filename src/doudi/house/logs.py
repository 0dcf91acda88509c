"""Lines of the log: JSON, each with the number of its request, and never an address that tells of a person.

An address of the workbench holds numbers of households and cases; a line names the route instead. With
``DOUDI_LOG=info`` every request leaves a line, by default only what went wrong does.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse

_GIVEN = re.compile(r"[A-Za-z0-9_-]{8,64}")
_log = logging.getLogger("doudi.requests")


class RequestLog:
    """Middleware: gives every request a number, that of the proxy before it if it sent one, and says how it ended."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        number = given if _GIVEN.fullmatch(given) else secrets.token_hex(8)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=number)
        begun = time.perf_counter()
        response = self.get_response(request)
        response["X-Request-ID"] = number
        _log.info(
            "request",
            extra={
                "method": request.method,
                "route": route_of(request),
                "status": response.status_code,
                "ms": round((time.perf_counter() - begun) * 1000, 1),
            },
        )
        return response


def route_of(request: HttpRequest) -> str:
    """The pattern of the address, without what was put into it."""
    match = getattr(request, "resolver_match", None)
    return f"/{match.route}" if match else "none"


class NoAddresses(logging.Filter):
    """Says the route where Django would say the address of a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        if isinstance(request, HttpRequest):
            status = getattr(record, "status_code", "")
            record.msg, record.args = "%s %s %s", (status, request.method, route_of(request))
            # the request itself would be written out with its address
            del record.__dict__["request"]
        return True


def settings(level: str) -> dict[str, Any]:
    """Django's LOGGING: one JSON object a line on standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"no_addresses": {"()": NoAddresses}},
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [
                    structlog.contextvars.merge_contextvars,
                    structlog.stdlib.add_log_level,
                    structlog.stdlib.add_logger_name,
                    structlog.processors.TimeStamper(fmt="iso", utc=True),
                    structlog.stdlib.ExtraAdder(["method", "route", "status", "ms"]),
                    structlog.processors.format_exc_info,
                ],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.JSONRenderer(ensure_ascii=False),
                ],
            }
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["no_addresses"]}
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            # Django's own handlers would write the line a second time, with its address
            "django": {"handlers": [], "level": "WARNING", "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
            "doudi.requests": {"level": level, "propagate": True},
        },
    }
