"""One window: intake, applications, letters, resources (一门受理)."""

from __future__ import annotations

from doudi.web.guard import Route

ROUTES: tuple[Route, ...] = ()
"""The addresses of this room; ``doudi.web.urls`` strings the rooms together."""
