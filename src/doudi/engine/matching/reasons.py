"""Say in plain words why a need got its project, and why a need got none.

In come the lists and the proposal; out comes one sentence each, Chinese then English. It explains what
was decided and decides nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from doudi.engine.matching.flow import standings
from doudi.engine.matching.offers import Ints, Need, Offers, Project, built_in_fit, conditions_against

_NAMED = 3
_CONDITIONS = {
    "person": (
        "是捐赠人或管理人的利害关系人（慈善法第四十条）",
        "the person is tied to its donor or manager (Charity Law art. 40)",
    ),
    "region": ("地区不符", "its area is another"),
    "kind": ("不接受该类需求", "it takes other kinds of need"),
    "group": ("不面向该人群", "it is for another group"),
}


class _Shelf(NamedTuple):
    """What a reason needs to know of some projects: their number, the best (fit, project), the largest budget (None: no limit)."""

    number: int
    best: tuple[tuple[int, int], ...]
    largest_budget: int | None


class Reasons:
    """The sentences for one proposal; ``fit[i]`` is the fit of need i with its project (scaled, 0 if none)."""

    def __init__(
        self, needs: Sequence[Need], projects: Sequence[Project], offers: Offers, project: Ints
    ) -> None:
        self._needs, self._projects, self._offers, self._project = needs, projects, offers, project
        self._index = {need.id: i for i, need in enumerate(needs)}
        self._queue = standings(needs)
        self.fit = [0] * len(needs)
        self._used = [0] * len(projects)
        self._spent = [0] * len(projects)
        self._weakest: dict[int, int] = {}
        for i in np.flatnonzero(project >= 0).tolist():
            at = int(project[i])
            # the built-in fit is the project's own
            self.fit[i] = (
                built_in_fit(projects[at])
                if offers.built_in
                else next(fit for one, fit in offers.on(int(offers.of_need[i])) if one == at)
            )
            self._used[at] += 1
            self._spent[at] += needs[i].amount or 0
            last = self._weakest.get(at)
            if last is None or self._strength(i) < self._strength(last):
                self._weakest[at] = i
        self._tied = {person for one in projects for person in one.interested_persons}
        self._shelf: dict[int, _Shelf] = {}
        self._taken: dict[int, tuple[str, str]] = {}
        self._removed: dict[tuple[str, str, str], str] = {}

    def served(self, need_id: str) -> str:
        """Why this project, and why not one that fits better."""
        i = self._index[need_id]
        need, at = self._needs[i], int(self._project[i])
        project = self._projects[at]
        number, best, _ = self._open_to(i)
        points = self._points(self.fit[i])
        zh = f"第{need.tier}档，等候{need.waiting_days}天；{self._purpose(need, project)[0]}，契合度{points}"
        en = f"tier {need.tier}, waiting {need.waiting_days} days; {self._purpose(need, project)[1]}, fit {points}"
        fit, other = best[0]
        if fit <= self.fit[i]:
            zh += f"，在可选的{number}个项目中最高。"
            en += f", the best of {number} open to it."
        else:
            full = self._full(other, need)
            zh += f"；契合度更高的 {self._projects[other].id}（{self._points(fit)}）{full[0]}。"
            en += f"; {self._projects[other].id} fits better ({self._points(fit)}) but {full[1]}."
        return f"{zh} / {en}"

    def unserved(self, need_id: str) -> str:
        """Why nobody: nothing missing, no project open to it, too dear, or lost to whom."""
        i = self._index[need_id]
        need = self._needs[i]
        if need.amount == 0:
            return "扣除政府救助和其他帮扶后没有缺口。 / Nothing is missing after public and other aid."
        number, best, most = self._open_to(i)
        if not number:
            return self._no_project(need)
        if most is not None and most < (need.amount or 0):
            return (
                f"可选的{number}个项目的预算都不足以整笔承担（缺口超过最大预算 {most}）。 / "
                f"None of the {number} open projects can pay it whole (the largest budget is {most})."
            )
        named = [(self._projects[p].id, self._full(p, need)) for _, p in best]
        zh = "；".join(f"{name} {full[0]}" for name, full in named)
        en = "; ".join(f"{name} {full[1]}" for name, full in named)
        more = number - len(named)
        return (
            f"可选的{number}个项目都已给了更急、更契合或等候更久的需求：{zh}{f'；另有{more}个同样如此' if more else ''}。 / "
            f"All {number} open projects went to needs more urgent, better fitting or longer waiting: "
            f"{en}{f'; and {more} more alike' if more else ''}."
        )

    def _no_project(self, need: Need) -> str:
        if not self._offers.built_in:
            return "可选名单中没有列出可用的项目。 / The list of eligible pairs names no project for it."
        key = (need.region, need.kind, need.group)
        tied = need.id in self._tied
        if not tied and key in self._removed:
            return self._removed[key]
        against = conditions_against(need, self._projects)
        parts = [(name, ids) for name, ids in against.items() if ids]
        zh = "；".join(f"{len(ids)}个{_CONDITIONS[name][0]}（{_some(ids)}）" for name, ids in parts)
        en = "; ".join(f"{len(ids)}: {_CONDITIONS[name][1]} ({_some(ids)})" for name, ids in parts)
        text = f"没有合适的项目：{zh or '项目表是空的'}。 / No project is open to it: {en or 'the list of projects is empty'}."
        if not tied:
            self._removed[key] = text
        return text

    def _open_to(self, i: int) -> _Shelf:
        """How many projects are open to a need, the best fitting of them, and their largest budget."""
        seen = [self._summary(shelf) for shelf in self._offers.shelves(i)]
        best = sorted((pair for one in seen for pair in one.best), key=lambda pair: (-pair[0], pair[1]))
        budgets = [one.largest_budget for one in seen if one.number]
        known = [budget for budget in budgets if budget is not None]
        most = max(known) if known and len(known) == len(budgets) else None
        return _Shelf(sum(one.number for one in seen), tuple(best[:_NAMED]), most)

    def _summary(self, shelf: int) -> _Shelf:
        if shelf in self._shelf:
            return self._shelf[shelf]
        pairs = self._offers.on(shelf)
        best = heapq.nsmallest(_NAMED, ((-fit, p) for p, fit in pairs))
        budgets = [self._projects[p].budget for p, _ in pairs]
        known = [budget for budget in budgets if budget is not None]
        most = max(known) if known and len(known) == len(budgets) else None
        found = _Shelf(len(pairs), tuple((-fit, p) for fit, p in best), most)
        if self._offers.built_in:  # a listed shelf is one need's own and is not asked for again
            self._shelf[shelf] = found
        return found

    def _purpose(self, need: Need, project: Project) -> tuple[str, str]:
        if not self._offers.built_in:
            return f"在可选名单中，项目 {project.id}", f"listed as eligible for {project.id}"
        zh = [
            f"面向“{need.kind}”" if project.kinds else "不限类别",
            f"面向“{need.group}”" if project.groups else "不限人群",
        ]
        en = [
            f"for “{need.kind}”" if project.kinds else "any kind",
            f"for “{need.group}”" if project.groups else "any group",
        ]
        zh.append(f"区域 {project.region}" if project.region else "不限地区")
        en.append(f"area {project.region}" if project.region else "any area")
        return f"{project.id} {'、'.join(zh)}", f"{project.id} is {', '.join(en)}"

    def _full(self, at: int, need: Need) -> tuple[str, str]:
        """Why a project could not take this need as well."""
        project = self._projects[at]
        left = None if project.budget is None else project.budget - self._spent[at]
        if project.places is not None and self._used[at] >= project.places:
            if at not in self._taken:
                zh, en = self._last(at)
                self._taken[at] = (
                    f"{project.places}个名额已满{zh}",
                    f"all places ({project.places}) are taken{en}",
                )
            return self._taken[at]
        if left is not None and left < (need.amount or 0):
            zh, en = self._last(at)
            return f"余下的预算不够{zh}", f"the budget left is too small{en}"
        return (
            "要换给它就得让别的需求落空（未证明最优）",
            "taking it would leave another need out (not proven best)",
        )

    def _last(self, at: int) -> tuple[str, str]:
        last = self._weakest.get(at)
        if last is None:
            return "", ""
        one, fit = self._needs[last], self._points(self.fit[last])
        return (
            f"，其中排最后的是 {one.id}（第{one.tier}档，契合度{fit}，等候{one.waiting_days}天）",
            f", the last of them {one.id} (tier {one.tier}, fit {fit}, waiting {one.waiting_days} days)",
        )

    def _strength(self, i: int) -> tuple[int, int, int, int]:
        return -self._needs[i].tier, self.fit[i], int(self._queue[i]), -i

    def _points(self, fit: int) -> str:
        return f"{fit / self._offers.scale:g}"


def _some(ids: Sequence[str]) -> str:
    return "、".join(ids[:5]) + ("…" if len(ids) > 5 else "")
