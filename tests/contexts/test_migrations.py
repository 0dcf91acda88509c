"""The tables that migrations make are those that the models describe."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command


@pytest.mark.django_db
def test_no_model_waits_for_a_migration() -> None:
    """The default suite makes its tables from the models; on PostgreSQL, and in every new office, migrations make them."""
    call_command("makemigrations", check=True, dry_run=True, stdout=io.StringIO())
