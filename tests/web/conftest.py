"""The small county, loaded and screened, with the cast at their browsers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from doudi.web.translations import compile_catalogue
from tests.cast import Cast, assemble


@pytest.fixture(scope="session", autouse=True)
def english() -> None:
    """The compiled catalogue, as set-up makes it."""
    compile_catalogue()


@pytest.fixture
def cast(db: None, office: Path) -> Cast:
    """The cast in an office that has taken nothing in yet."""
    return assemble()


@pytest.fixture
def county(county: Path) -> Cast:
    """The cast in the small county, loaded and screened."""
    return assemble()


@pytest.fixture
def browser() -> Callable[..., Client]:
    """A browser in which somebody is signed in, in Chinese or English."""

    def open_for(user, language: str = "zh-hans") -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        client.cookies["django_language"] = language
        return client

    return open_for
