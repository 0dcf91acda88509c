"""The meal network at work: places, diners, menus, orders, till, delivery (助餐运行)."""

from __future__ import annotations

from doudi.web.guard import Route

ROUTES: tuple[Route, ...] = ()
"""The addresses of this room; ``doudi.web.urls`` strings the rooms together."""
