"""Purpose, group, area, interested persons, gap and budget decide who may help whom; each refusal is explained."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doudi.engine.charity import gap_after_aid, within_gap
from doudi.engine.matching import Need, Project, built_in_offers, match
from doudi.engine.matching.offers import built_in_fit, conditions_against
from tests.engine.matching.small import allowed, choice_of, offers, score


def may(need: Need, project: Project) -> bool:
    return bool(built_in_offers([need], [project]).of(0))


@pytest.mark.parametrize(
    ("need", "project", "expected"),
    [
        (Need("n", 1, kind="大病"), Project("p", 1), True),
        (Need("n", 1, kind="大病"), Project("p", 1, kinds=frozenset({"大病", "教育"})), True),
        (Need("n", 1, kind="就业"), Project("p", 1, kinds=frozenset({"大病"})), False),
        (Need("n", 1), Project("p", 1, kinds=frozenset({"大病"})), False),
        (Need("n", 1, group="老人"), Project("p", 1, groups=frozenset({"老人"})), True),
        (Need("n", 1, group="儿童"), Project("p", 1, groups=frozenset({"老人"})), False),
        (Need("n", 1, region="522730103"), Project("p", 1, region="522730"), True),
        (Need("n", 1, region="522730"), Project("p", 1, region="520102"), False),
        (Need("n", 1, region="522730"), Project("p", 1, region="522730103"), False),
    ],
)
def test_a_restricted_gift_goes_only_to_its_purpose_group_and_area(
    need: Need, project: Project, expected: bool
) -> None:
    assert may(need, project) is expected


def test_the_donors_nephew_is_blocked() -> None:
    """Worked case 8 of domain/04: 慈善法 art. 40."""
    needs = [Need("nephew", 1), Need("neighbour", 2)]
    project = Project("named-fund", places=2, interested_persons=frozenset({"nephew"}))

    found = match(needs, [project])

    assert [pair.need for pair in found.pairs] == ["neighbour"]
    ((_, why),) = found.why_unserved()
    assert "利害关系人" in why and "art. 40" in why and "named-fund" in why


def test_a_need_after_public_aid_and_the_union_is_the_gap() -> None:
    """Worked case 6 of domain/04: 50,000 less 18,000 less 5,000."""
    gap = gap_after_aid(5_000_000, public_aid=1_800_000, other_aid=500_000)

    assert gap == 2_700_000
    assert within_gap(3_000_000, gap) == (2_700_000, True)
    assert within_gap(2_000_000, gap) == (2_000_000, False)


def test_a_pair_grants_the_gap_and_no_more() -> None:
    found = match([Need("n", 1, 2_700_000)], [Project("p", budget=3_000_000)])

    assert [(pair.need, pair.amount) for pair in found.pairs] == [("n", 2_700_000)]


def test_a_need_without_a_gap_takes_no_place() -> None:
    needs = [Need("covered", 1, 0), Need("open", 2, 100)]

    found = match(needs, [Project("p", places=1, budget=500)])

    assert [pair.need for pair in found.pairs] == ["open"]
    assert "没有缺口" in dict(found.why_unserved())["covered"]


def test_each_condition_that_removes_a_project_is_named() -> None:
    need = Need("n", 1, region="5227", kind="大病", group="老人")
    projects = [
        Project("far", 1, region="5201"),
        Project("school", 1, kinds=frozenset({"教育"})),
        Project("young", 1, groups=frozenset({"儿童"})),
        Project("tied", 1, interested_persons=frozenset({"n"})),
    ]

    ((_, why),) = match([need], projects).why_unserved()

    for part in ("1个地区不符（far）", "1个不接受该类需求（school）", "1个不面向该人群（young）", "（tied）"):
        assert part in why


def test_a_need_above_every_budget_is_told_so() -> None:
    needs = [Need("dear", 1, 900), Need("small", 2, 100)]

    found = match(needs, [Project("p", budget=500)])

    assert "500" in dict(found.why_unserved())["dear"]
    assert found.optimal and found.bound_by_tier == {1: 0, 2: 1}


def test_who_lost_is_told_to_whom() -> None:
    needs = [Need("winner", 1, waiting_days=30), Need("loser", 2, waiting_days=400)]

    found = match(needs, [Project("p", places=1)])

    why = dict(found.why_unserved())["loser"]
    assert "1个名额已满" in why and "winner（第1档" in why and "tier 1" in why


def test_why_this_and_why_not_the_better_fitting() -> None:
    needs = [Need("a", 1, kind="大病", region="5227"), Need("b", 2, kind="大病", region="5227")]
    projects = [
        Project("meant", places=1, kinds=frozenset({"大病"}), region="5227"),
        Project("any", places=5),
    ]

    found = match(needs, projects)

    why = {pair.need: (pair.project, text) for pair, text in found.why_served()}
    assert why["a"][0] == "meant" and "面向“大病”" in why["a"][1]
    assert why["b"][0] == "any"
    assert "meant（50）" in why["b"][1] and "名额已满" in why["b"][1]


def test_needs_of_one_kind_share_one_list_of_projects() -> None:
    needs = [Need(f"n{i}", 1, kind="大病") for i in range(100)]
    offers = built_in_offers(needs, [Project(f"p{i}", 1) for i in range(50)])

    assert len(offers.project) == 50 and len(offers.shelf) == 1
    assert len(match(needs, [Project(f"p{i}", 1) for i in range(50)]).pairs) == 50


def test_no_needs_and_no_projects_are_an_empty_proposal() -> None:
    assert match([], [Project("p", 1)]).pairs == []
    found = match([Need("n", 1)], [])
    assert found.unserved == ["n"]
    assert "项目表是空的" in next(found.why_unserved())[1]


@st.composite
def county(draw: st.DrawFn) -> tuple[list[Need], list[Project]]:
    """Needs and projects over a few areas, kinds and groups, with ties, places and sometimes budgets."""
    areas, kinds, groups = ["", "52", "5227", "522730"], ["", "大病", "教育"], ["", "老人", "儿童"]
    needs = [
        Need(
            f"n{i}",
            draw(st.integers(1, 3)),
            draw(st.integers(0, 5)),
            draw(st.sampled_from([*areas, "520102"])),
            draw(st.sampled_from(kinds)),
            draw(st.sampled_from(groups)),
            draw(st.integers(0, 9)),
        )
        for i in range(draw(st.integers(1, 9)))
    ]
    projects = [
        Project(
            f"p{p}",
            draw(st.integers(0, 3)),
            draw(st.one_of(st.none(), st.integers(0, 12))),
            draw(st.sampled_from(areas)),
            frozenset(draw(st.sets(st.sampled_from(kinds[1:])))),
            frozenset(draw(st.sets(st.sampled_from(groups[1:])))),
            frozenset(draw(st.sets(st.sampled_from([need.id for need in needs]), max_size=1))),
        )
        for p in range(draw(st.integers(1, 5)))
    ]
    return needs, projects


@settings(max_examples=150, deadline=None)
@given(county())
def test_classes_and_shelves_change_nothing_about_who_is_served(
    drawn: tuple[list[Need], list[Project]],
) -> None:
    needs, projects = drawn
    fits = {
        (i, p): built_in_fit(project)
        for i, need in enumerate(needs)
        for p, project in enumerate(projects)
        if not any(conditions_against(need, [project]).values())
    }
    built_in = built_in_offers(needs, projects)
    assert {(i, p): fit for i in range(len(needs)) for p, fit in built_in.of(i)} == fits

    by_conditions = match(needs, projects)
    by_list = match(needs, projects, offers(needs, projects, fits))

    one, two = (choice_of(found, needs, projects) for found in (by_conditions, by_list))
    assert allowed(needs, projects, one)
    assert all(p is None or (i, p) in fits for i, p in enumerate(one))
    assert score(needs, fits, one)[:-1] == score(needs, fits, two)[:-1]
    assert by_conditions.optimal and by_conditions.bound_by_tier == by_list.bound_by_tier
    assert len(list(by_conditions.why_served())) + len(list(by_conditions.why_unserved())) == len(needs)
