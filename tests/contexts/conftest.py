"""The office's own hand, and accounts by role."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture
def by(db: None):
    from doudi.contexts.accounts.services import system_user

    return system_user()


@pytest.fixture
def make_user(db: None) -> Callable:
    from doudi.contexts.accounts.services import Role, create_user, system_user

    def make(username: str, role: str, region_code: str = "", department: str = ""):
        return create_user(
            username=username,
            password="a-long-enough-password-1",
            display_name=username,
            role=Role(role),
            region_code=region_code,
            department=department,
            by=system_user(),
        )

    return make


@pytest.fixture
def nobody_died(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small county's only old man stands in its file of deaths; a story about something else leaves that file out."""
    from doudi.chain import dining

    told = dining._stays
    monkeypatch.setattr(dining, "_stays", lambda feed, *more: [] if feed == "death" else told(feed, *more))
