"""What is wrong with a pack: file, line, code and a sentence in Chinese and English."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from doudi.engine.errors import DoudiError


@dataclass(frozen=True, order=True)
class Problem:
    """One fault of a pack, at its place."""

    file: str
    line: int
    code: str
    zh: str
    en: str

    @property
    def message(self) -> str:
        return f"{self.zh} / {self.en}"

    def to_json(self) -> dict[str, Any]:
        return {"file": self.file, "line": self.line, "code": self.code, "message": self.message}

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: [{self.code}] {self.message}"


class PackError(DoudiError):
    """A policy pack cannot be used; ``problems`` says where and why."""

    code = "pack_refused"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        shown = self.problems[:5]
        more = len(self.problems) - len(shown)
        zh = "政策包有误: " + "; ".join(f"{p.file} 第{p.line}行 {p.zh}" for p in shown)
        en = "The policy pack is refused: " + "; ".join(f"{p.file} line {p.line}: {p.en}" for p in shown)
        if more:
            zh += f"; 另有 {more} 处, 用 doudi pack check 查看"
            en += f"; and {more} more, see doudi pack check"
        super().__init__(zh, en)


class Report:
    """Collects problems, so that one check tells everything that is wrong."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, place: tuple[str, int], code: str, zh: str, en: str) -> None:
        self.problems.append(Problem(place[0], place[1], code, zh, en))

    def extend(self, problems: Iterable[Problem]) -> None:
        self.problems.extend(problems)

    def raise_if_any(self) -> None:
        if self.problems:
            raise PackError(self.problems)
