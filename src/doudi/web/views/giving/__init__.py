"""Charity's money, its public pages, calls (慈善资金)."""

from __future__ import annotations

from doudi.web.guard import Route

ROUTES: tuple[Route, ...] = ()
"""The addresses of this room; ``doudi.web.urls`` strings the rooms together."""
