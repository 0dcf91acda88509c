"""The reference pages say what the program says."""

from __future__ import annotations

import pytest

from tests.conftest import PROJECT
from tools import reference


@pytest.mark.parametrize("name", list(reference.PAGES))
def test_the_page_is_what_the_program_says_today(name: str) -> None:
    written = (PROJECT / "docs" / "reference" / name).read_text(encoding="utf-8")

    assert written == reference.PAGES[name](), "run python tools/reference.py"
