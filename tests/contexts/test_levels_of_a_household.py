"""What the signals of a household amount to (handbook 02 §2.4), without a file or a database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from doudi.contexts.monitoring import levels
from doudi.contexts.monitoring.levels import Found, Mute
from doudi.engine.packs.model import MergeRule

DAY = date(2024, 3, 1)
HANDLING: Any = SimpleNamespace(merge_days=90)


@dataclass
class _Pack:
    """The two merge rules of the handbook and one indicator that raises."""

    merge_rules: tuple[MergeRule, ...] = (MergeRule("yellow", 2, "orange"), MergeRule("orange", 2, "red"))
    indicators: dict[str, Any] = field(default_factory=lambda: _Indicators())


class _Indicators(dict):
    def __missing__(self, code: str) -> Any:
        return SimpleNamespace(raises_level=code == "X1")


def found(code: str, level: str, day: int = 0, **more: Any) -> Found:
    return Found(code, level, not code.startswith("K"), observed_on=DAY + timedelta(days=day), **more)


@pytest.mark.parametrize(
    ("signals", "level", "risk"),
    [
        ([], "none", "none"),
        ([found("M1", "orange"), found("U1", "yellow")], "orange", "none"),
        ([found("U1", "yellow"), found("E1", "yellow", 40)], "orange", "none"),
        ([found("U1", "yellow"), found("E1", "yellow", 90)], "orange", "none"),
        ([found("U1", "yellow"), found("E1", "yellow", 91)], "yellow", "none"),
        ([found("U1", "yellow"), found("E1", "yellow", 91), found("R1", "yellow", 120)], "orange", "none"),
        ([found("H1", "orange"), found("E2", "orange", 1)], "red", "none"),
        ([found("H1", "orange"), found("U1", "yellow"), found("E1", "yellow")], "orange", "none"),
        ([found("U1", "yellow"), found("X1", "none")], "orange", "none"),
        ([found("S1", "red"), found("X1", "none")], "red", "none"),
        ([found("K1", "red"), found("K2", "orange"), found("U1", "yellow")], "yellow", "red"),
        ([found("K5", "yellow"), found("K7", "yellow")], "none", "yellow"),
        ([found("M1", "red"), found("K5", "yellow")], "red", "yellow"),
    ],
)
def test_levels(signals: list[Found], level: str, risk: str) -> None:
    assert levels.levels_of(signals, _Pack(), HANDLING) == (level, risk)  # type: ignore[arg-type]


GROWTH = Fraction(30, 100)


@pytest.mark.parametrize(
    ("level", "amount", "mute", "wakes"),
    [
        ("orange", 2_000_000, Mute("orange", 1_800_000), False),
        ("orange", 2_339_999, Mute("orange", 1_800_000), False),
        ("orange", 2_340_000, Mute("orange", 1_800_000), True),
        ("red", 1_800_001, Mute("orange", 1_800_000), True),
        ("yellow", None, Mute("yellow", None), False),
        ("yellow", 5, Mute("yellow", None), False),
        ("yellow", 0, Mute("yellow", 0), False),
        ("yellow", 1, Mute("yellow", 0), True),
    ],
)
def test_waking(level: str, amount: int | None, mute: Mute, wakes: bool) -> None:
    signal = found("M1", level, amounts={"a": amount})

    assert bool(levels.awake([signal], {("M1", "a"): mute}, GROWTH)) is wakes
    assert levels.awake([signal], {("M1", "b"): mute}, GROWTH) == [signal]
    assert bool(levels.awake([signal], {("M1", ""): mute}, GROWTH)) is wakes


def test_of_two_persons_only_the_one_who_is_not_muted_wakes() -> None:
    signal = found("M1", "orange", amounts={"a": 10, "b": 20})

    (waking,) = levels.awake([signal], {("M1", "a"): Mute("orange", 10)}, GROWTH)

    assert dict(waking.amounts) == {"b": 20}
