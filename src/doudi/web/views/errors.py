"""Pages for what went wrong outside any view, in plain words."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import loader

from doudi.web.guard import speak


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: the request could not be read."""
    speak(request)
    return render(request, "400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: refused."""
    speak(request)
    return render(request, "403.html", status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: no such page."""
    speak(request)
    return _kept_by_nobody(render(request, "404.html", status=404))


def server_error(request: HttpRequest) -> HttpResponse:
    """500: the fault is ours; the page asks nothing of the database, which may be what failed."""
    speak(request)
    return HttpResponse(loader.get_template("500.html").render(), status=500)


def _kept_by_nobody(page: HttpResponse) -> HttpResponse:
    """A page that is not there for one account may be there for another."""
    page.headers.setdefault("Cache-Control", "private, no-store")
    return page
