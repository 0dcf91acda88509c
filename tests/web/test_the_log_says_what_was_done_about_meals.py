"""The auditor's log names every act of the meal network in words, never by the program's own name for it."""

from __future__ import annotations

import re
from pathlib import Path

from doudi.contexts.accounts.services import Act
from doudi.web.terms import ACTS
from tests.conftest import PROJECT

WRITTEN = re.compile(r'act="(\w+)"|_log\(\w+, by, "(\w+)"')


def test_every_act_that_the_meal_network_logs_has_its_words() -> None:
    sources: list[Path] = sorted((PROJECT / "src" / "doudi" / "contexts" / "meals").glob("*.py"))
    used = {one or other for path in sources for one, other in WRITTEN.findall(path.read_text("utf-8"))}

    assert "door_shut" in used
    assert used - ACTS.keys() - {act.value for act in Act} == set()
