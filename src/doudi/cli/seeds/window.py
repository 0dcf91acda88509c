"""One window: what the demonstration shows on its first day."""

from __future__ import annotations

from doudi.contexts.accounts.services import Role, User


def seed(people: dict[Role, User], township: str) -> None:
    """Add the room's work in hand; called once, with one account per role and the busiest township's code."""
