"""Siting on the map, food safety, volunteers and points (选址、食品安全、志愿服务)."""

from __future__ import annotations

from doudi.web.guard import Route

ROUTES: tuple[Route, ...] = ()
"""The addresses of this room; ``doudi.web.urls`` strings the rooms together."""
