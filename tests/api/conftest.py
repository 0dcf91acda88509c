"""The small county, loaded and screened, with the cast at the API: by session or by key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Act, User, may
from tests.cast import Cast, assemble


class Desk:
    """Somebody who asks the API."""

    def __init__(self, headers: dict[str, str] | None = None) -> None:
        self.client = Client(headers=headers or {})

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1{path}", query)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.client.post(
            f"/api/v1{path}", {} if body is None else body, content_type="application/json", headers=headers
        )


@pytest.fixture
def county(county: Path) -> Cast:
    """The cast in the small county, loaded and screened."""
    return assemble()


@pytest.fixture
def desk() -> Callable[[User], Desk]:
    """A person signed in to the workbench, whose browser asks the API."""

    def at(user: User) -> Desk:
        found = Desk()
        found.client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return found

    return at


@pytest.fixture
def key_for() -> Callable[..., str]:
    """A key for an account, with all of its acts where none are named."""

    def make(
        owner: User, *, scopes: list[Act] | None = None, days: float = 30, region: str | None = None
    ) -> str:
        return accounts.create_api_key(
            owner,
            label="测试对接系统",
            scopes=scopes or [act for act in Act if may(owner, act)],
            expires_at=timezone.now() + timedelta(days=days),
            region_code=region,
            by=owner,
        ).text

    return make


@pytest.fixture
def by_key(key_for: Callable[..., str]) -> Callable[..., Desk]:
    """A program with a key."""
    return lambda owner, **narrowed: Desk({"Authorization": f"Bearer {key_for(owner, **narrowed)}"})
