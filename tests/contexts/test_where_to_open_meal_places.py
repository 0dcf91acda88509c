"""Where to open meal places: from elders to a proven plan, what-if, adoption, and a site that opens with a licence alone."""

from __future__ import annotations

import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed
from doudi.contexts.meals import planning
from doudi.contexts.meals import services as meals
from doudi.contexts.meals.models import PlacePoint, Site, SitePlan
from doudi.contexts.meals.planning import Change, Place, Point, Question
from doudi.contexts.meals.services import StepRefused
from doudi.engine.csvfile import TableError
from doudi.engine.packs.meals import check_meals
from doudi.engine.packs.problems import PackError
from doudi.engine.packs.siting import CommunityCoverage, load_siting_rules
from doudi.engine.siting import CoordinateSystem, Floor, from_wgs84
from doudi.engine.siting.guizhou import MORE, SEATS, guizhou
from tests.a_kitchen import open_kitchen
from tests.cast import Cast, assemble
from tests.conftest import PROJECT

STEP = 0.02
"""About 2.0 km east–west in Guizhou: neighbours do not reach one another on foot."""


@pytest.fixture
def cast(office, db) -> Cast:
    return assemble()


def line(count: int = 5, *, hard_at: int | None = None) -> Question:
    """Villages in a row with a candidate at each; the third is the largest, ``hard_at`` holds those in difficulty."""
    persons = [10.0, 20.0, 50.0, 20.0, 30.0]
    points = tuple(
        Point(
            f"52010201700{i}", 106.7 + i * STEP, 26.6, persons[i], 5.0 if i == hard_at else 0.0, None,
            "520102017" if i < 3 else "520102018",
        )
        for i in range(count)
    )  # fmt: skip
    places = tuple(Place(f"c{i}", 106.7 + i * STEP, 26.6, f"村{i}", group="520102") for i in range(count))
    return Question(sites=2, radius=1000.0, points=points, places=places)


def made(question: Question, cast: Cast, *, token: str = "p" * 32, name: str = "测算") -> SitePlan:
    return planning.make_plan(question, token=token, name=name, region_code="520102", by=cast.county)


# ---- worked cases ------------------------------------------------------------------------------------------------


def test_case_8_how_far_somebody_walks_goes_by_age() -> None:
    rules = load_siting_rules(PROJECT / "packs" / "cn")

    assert not rules.within(780 * rules.detour_flat, age=65), "1,014 m straight line with the detour"
    assert rules.within(940, age=65), "the road graph says 940 m"
    assert not rules.within(940, age=82)
    assert not rules.within(940, age=65, disabled=True)


def test_case_9_coverage_of_communities_says_which_is_meant() -> None:
    coverage = CommunityCoverage(communities=40, with_point=26, with_delivery_only=6)

    assert (coverage.whole, coverage.point_only) == (0.80, 0.65)


def test_a_pack_whose_siting_is_malformed_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "pack.yaml").write_text("名称: x\n版本: '1'\n地区: ''\n虚构: 是\n说明: x\n", encoding="utf-8")
    text = (PROJECT / "packs" / "cn" / "siting.yaml").read_text(encoding="utf-8")
    (tmp_path / "siting.yaml").write_text(text.replace("步行: 1000", "步行: 一千"), encoding="utf-8")

    with pytest.raises(PackError, match="第2行"):
        load_siting_rules(tmp_path)
    assert [(problem.file, problem.line) for problem in check_meals(tmp_path)] == [
        (f"{tmp_path.name}/siting.yaml", 2)
    ]


# ---- a plan ------------------------------------------------------------------------------------------------------


def test_a_plan_covers_most_and_says_that_it_is_proven(cast) -> None:
    plan = made(line(), cast)
    again = made(line(), cast)

    assert again.pk == plan.pk and SitePlan.objects.count() == 1
    assert (plan.result["status"], plan.result["gap"]) == ("optimal", 0.0)
    assert plan.result["sites"] == ["c2", "c4"]
    assert (plan.result["covered"], plan.result["total"]) == (80, 130)
    assert plan.result["communities"] == [5, 2, 2], (
        "two on foot, their two neighbours by delivery within 3 km"
    )
    assert plan.result["groups"]["520102018"][:2] == [30, 50]


def test_elders_in_difficulty_go_first(cast) -> None:
    plan = made(line(hard_at=0), cast)

    assert plan.result["sites"] == ["c0", "c2"], "ten persons, five of them in difficulty, before thirty"
    assert (plan.result["hard_covered"], plan.result["hard_total"]) == (5, 5)


def test_existing_places_are_kept_and_an_impossible_question_says_why(cast) -> None:
    open_kitchen(cast.county, longitude=106.7, latitude=26.6)
    kept = planning.existing_places(by=cast.county)
    asked = line()
    plan = made(planning.Question(sites=2, points=asked.points, places=(*asked.places, *kept)), cast)
    impossible = made(
        Question(sites=1, points=asked.points, places=asked.places, floors=(Floor("520102", 3),)),
        cast,
        token="q" * 32,
    )

    assert kept[0].id in plan.result["sites"] and len(plan.result["sites"]) == 2
    assert impossible.result["status"] == "infeasible" and impossible.result["sites"] == []
    assert "合计要3个点，超过总点数1" in impossible.result["reasons"][0][0]
    with pytest.raises(StepRefused, match="无解"):
        planning.adopt_plan(impossible.number, by=cast.director)


def test_what_if_tells_how_far_it_is_from_the_best_of_as_many(cast) -> None:
    plan = made(line(), cast)

    tried = planning.what_if(
        plan.number, Change(close=("c4",), open=("c1",)), token="w" * 32, name="", by=cast.county
    )
    moved = planning.what_if(
        plan.number, Change(move={"c4": (106.7, 26.6)}, add=((106.7 + 3 * STEP, 26.6),)), token="v" * 32, name="",
        by=cast.county,
    )  # fmt: skip

    assert tried.parent_id == plan.pk and tried.result["sites"] == ["c2", "c1"]
    assert (tried.result["covered"], tried.result["bound"]) == (70, 80)
    assert tried.result["gap"] == pytest.approx(10 / 70)
    assert moved.result["covered"] == 80 and "新增1" in moved.result["sites"]
    rows = planning.compare(plan, tried)
    assert (rows[0].group, rows[0].difference) == ("520102018", -30)
    with pytest.raises(StepRefused, match="没有候选点"):
        planning.what_if(plan.number, Change(close=("nowhere",)), token="u" * 32, name="", by=cast.county)


def test_who_plans_does_not_adopt_and_nobody_else_sees_it(cast) -> None:
    plan = made(line(), cast)

    with pytest.raises(NotAllowed):
        planning.adopt_plan(plan.number, by=cast.county)
    with pytest.raises(NotAllowed):
        made(line(), cast=type("Only", (), {"county": cast.director})(), token="r" * 32)
    with pytest.raises(planning.PlanNotFound):
        planning.site_plan(plan.number, by=cast.stranger)
    assert not planning.plans(by=cast.stranger).exists()
    assert not Site.objects.exists()


def test_an_adopted_site_is_planned_and_opens_with_a_licence_alone(cast) -> None:
    plan = made(line(), cast)

    sites = planning.adopt_plan(plan.number, by=cast.director)
    again = planning.adopt_plan(plan.number, by=cast.director)

    assert [site.pk for site in sites] == [site.pk for site in again]
    assert {site.state for site in sites} == {"planned"} and len(sites) == 2
    assert sites[0].longitude == pytest.approx(106.74)
    with pytest.raises(StepRefused) as refused:
        meals.change_site_state(sites[0], state="open", ground="装修完成", by=cast.county)
    assert refused.value.code == "licence_missing"
    meals.keep_paper(
        sites[0], kind="licence", number="JY352010200099", valid_until=timezone.localdate() + timedelta(days=900),
        by=cast.county,
    )  # fmt: skip
    assert (
        meals.change_site_state(sites[0], state="open", ground="取得许可证", by=cast.county).state == "open"
    )


# ---- where the figures come from ---------------------------------------------------------------------------------


def test_elders_come_from_the_register_by_place_and_kind(county) -> None:
    cast = assemble()
    specs, rules, on = chain.rules()[0].feeds, chain.siting_rules(), date(2024, 11, 15)

    points, notes = planning.elders(specs, rules=rules, on=on, by=cast.county)
    assert points == [] and "没有坐标" in notes[0][0]

    from doudi.contexts.registry import services as registry

    found = registry.elders_by_place(
        specs, old_age=rules.old_age, very_old_age=rules.very_old_age, on=on, by=cast.county
    )
    for place in found:
        PlacePoint.objects.create(region_code=place.region_code, longitude=106.7, latitude=26.6)
    points, notes = planning.elders(specs, rules=rules, on=on, by=cast.county)
    assert sum(point.persons for point in points) == sum(place.old for place in found) > 0
    assert {point.radius for point in points} <= {500, 1000}
    assert registry.elders_by_place(specs, old_age=60, very_old_age=80, on=on, by=cast.stranger) == []
    with pytest.raises(NotAllowed):
        planning.elders(specs, rules=rules, on=on, by=cast.canteen)


def test_lists_carry_their_system_and_are_converted(tmp_path: Path) -> None:
    lon, lat = from_wgs84([106.7], [26.6], CoordinateSystem.BD09)
    path = tmp_path / "需求.csv"
    path.write_text(f"id,lon,lat,weight,hard\nv1,{lon[0]},{lat[0]},10,20\n", encoding="utf-8")

    (point,) = planning.read_points(path, CoordinateSystem.BD09)
    (wrong,) = planning.read_points(path, CoordinateSystem.WGS84)

    assert (point.lon, point.lat) == (pytest.approx(106.7, abs=1e-8), pytest.approx(26.6, abs=1e-8))
    assert abs(wrong.lon - 106.7) > 0.005
    assert point.hard == 10, "no more in difficulty than there are"


def test_a_hostile_or_broken_list_is_refused_with_its_row(cast, tmp_path: Path) -> None:
    path = tmp_path / "候选.csv"
    path.write_text("id,lon,lat\nc1,106.7,26.6\nc2,abc,26.6\n", encoding="utf-8")
    with pytest.raises(TableError, match="3"):
        planning.read_places(path, CoordinateSystem.WGS84)
    path.write_text("id,lon,lat\n610102001001,106.7,26.6\n", encoding="utf-8")
    with pytest.raises(StepRefused, match="不是本辖区"):
        planning.keep_points(path, CoordinateSystem.WGS84, source="测绘", by=cast.county)
    path.write_text("id,lon,lat\n520102017001,106.7,26.6\n", encoding="utf-8")
    assert planning.keep_points(path, CoordinateSystem.WGS84, source="测绘", by=cast.county) == 1


# ---- all Guizhou -------------------------------------------------------------------------------------------------


def test_all_guizhou_with_its_floors_is_planned_and_proven(office, db) -> None:
    asked = guizhou()
    from doudi.contexts.accounts.services import Role, create_user, system_user

    province = create_user(
        username="province", password="a-long-test-password", display_name="省厅", role=Role.COUNTY,
        region_code="52", by=system_user(),
    )  # fmt: skip
    began = time.process_time()
    plan = planning.make_plan(
        planning.province_question(asked, sites_at_most=300, radius=5000),
        token="g" * 32, name="贵州省示范选址", region_code="52", by=province,
    )  # fmt: skip

    chosen: dict[str, int] = {}
    group = {row[0]: row[6] for row in plan.candidates}
    for site in plan.result["sites"]:
        chosen[group[site]] = chosen.get(group[site], 0) + 1
    assert (plan.result["status"], plan.result["gap"]) == ("optimal", 0.0)
    assert len(chosen) == 88 and len(plan.result["sites"]) == 300
    assert all(2 <= chosen[code] <= 3 for code in SEATS) and all(2 <= chosen[code] <= 5 for code in MORE)
    assert plan.result["total"] == 5_931_357, "the 60+ of the 2020 census"
    assert sum(asked.real) == 164, "165 places of GeoNames, two of them in one township"
    assert time.process_time() - began < 10, "processor seconds: a busy machine is no slower plan"
    assert "合成" in plan.notes[0][0]
