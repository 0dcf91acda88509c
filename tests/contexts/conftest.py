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
