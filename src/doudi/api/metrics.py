"""Figures of the office for Prometheus: requests, open warnings, loads; never a person, a household or an account."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from doudi.api import problems
from doudi.api.door import KeyDoor
from doudi.contexts.accounts.services import Act, User, may, system_user
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


class Tally:
    """Requests of this process by route, method and status, and the time they took."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._seconds: Counter[str] = Counter()

    def add(self, route: str, method: str, status: int, seconds: float) -> None:
        with self._lock:
            self._requests[route, method, status] += 1
            self._seconds[route] += seconds  # type: ignore[assignment]

    def lines(self) -> list[str]:
        with self._lock:
            requests, seconds = dict(self._requests), dict(self._seconds)
        process = os.getpid()
        out = _head("doudi_requests_total", "counter", "Requests by route and status, of this process.")
        out += [
            f'doudi_requests_total{{route="{_plain(route)}",method="{_plain(method)}",status="{status}",process="{process}"}} {n}'
            for (route, method, status), n in sorted(requests.items())
        ]
        out += _head("doudi_request_seconds_total", "counter", "Seconds spent on requests by route.")
        return out + [
            f'doudi_request_seconds_total{{route="{_plain(route)}",process="{process}"}} {spent:.6f}'
            for route, spent in sorted(seconds.items())
        ]


_tally = Tally()
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class CountRequests:
    """Middleware: counts every request under its route, which holds no number and no name."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        begun = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        method = request.method if request.method in _METHODS else "other"
        _tally.add(
            f"/{match.route}" if match else "none",
            str(method),
            response.status_code,
            time.perf_counter() - begun,
        )
        return response


def metrics(request: HttpRequest) -> HttpResponse:
    """The figures in Prometheus' text form, for this machine itself or for a key that covers the dashboard."""
    if request.method != "GET":
        return problems.method_not_allowed("GET")
    try:
        by = _reader(request)
    except DoudiError as problem:
        return problems.refused(request, problem)
    if by is None:
        return problems.not_signed_in(request, None)
    text = "\n".join([*_tally.lines(), *_of_the_office(by), ""])
    return HttpResponse(text, content_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})


def _reader(request: HttpRequest) -> User | None:
    by = KeyDoor(Act.VIEW_DASHBOARD)(request)
    if by is not None:
        return by  # type: ignore[no-any-return]
    # behind a proxy on this machine everybody comes from the loopback; the proxy says so in a header
    here = request.META.get("REMOTE_ADDR") in ("127.0.0.1", "::1")
    return system_user() if here and not any(name in request.META for name in _FORWARDED) else None


def _of_the_office(by: User) -> list[str]:
    out = _head("doudi_warnings_open", "gauge", "Open warnings by upward level.")
    out += [f'doudi_warnings_open{{level="{level}"}} {n}' for level, n in monitoring.by_level(by=by).items()]
    loop = monitoring.loop_figures(by=by)
    out += _head("doudi_warnings_overdue", "gauge", "Open warnings past their limit.")
    out.append(f"doudi_warnings_overdue {loop.overdue}")
    if may(by, Act.VIEW_LOADS):
        loads = registry.loads(by=by)
        out += _head("doudi_loads", "gauge", "Department files by what came of them.")
        out += [
            f'doudi_loads{{status="{status}"}} {loads.filter(status=status).count()}'
            for status in registry.FeedLoad.Status.values
        ]
    run = monitoring.latest_run()
    if run is not None and run.finished_at is not None:
        out += _head("doudi_screen_finished_seconds", "gauge", "When the latest screen ended, Unix time.")
        out.append(f"doudi_screen_finished_seconds {run.finished_at.timestamp():.0f}")
        out += _head("doudi_screen_seconds", "gauge", "How long the latest screen took.")
        out.append(f"doudi_screen_seconds {run.seconds:.3f}")
    return out


def _head(name: str, kind: str, words: str) -> list[str]:
    return [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]


def _plain(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
