"""A loaded and screened small county, and one account per role."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from tests import small_county


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
def county(office: Path, by, tmp_path: Path) -> Path:
    """The small county, loaded and screened; the folder of its files."""
    from doudi import chain

    files = small_county.write_county(tmp_path / "files")
    when = date.fromisoformat(small_county.AS_OF)
    chain.take_in_folder(files, as_of=when, by=by)
    chain.screen(as_of=when, by=by)
    return files
