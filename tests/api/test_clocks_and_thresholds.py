"""What the workbench does with a limit, a refusal of help, a revisit and a threshold goes by the API as well."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests import small_county as sc
from tests.cast import Cast

WARNING = "YJ20241115-H002"


def _day(days: int = 0) -> str:
    return (timezone.localdate() + timedelta(days=days)).isoformat()


def _refusal(**more: object) -> dict:
    return {
        "visited_on": _day(),
        "visitors": ["甲", "乙"],
        "result_code": "J",
        "finding": "本人说子女已供养，不愿接受救助。",
        **more,
    }


@pytest.fixture
def dispatched(county: Cast, by_key):
    """The warning in the township, given to its officer by name."""
    answer = by_key(county.county).post(
        f"/warnings/{WARNING}/dispatch", {"to": sc.TOWNSHIP_A, "assignee": "township"}
    )
    assert answer.json()["assignee"] == "township", answer.content
    return county


def test_refused_help_is_recorded_with_a_signature_or_two_witnesses(dispatched: Cast, by_key) -> None:
    worker = by_key(dispatched.township)

    bare = worker.post(f"/warnings/{WARNING}/visit", _refusal())
    one = worker.post(f"/warnings/{WARNING}/visit", _refusal(witnesses=["村主任"]))
    two = worker.post(f"/warnings/{WARNING}/visit", _refusal(witnesses=["村主任", "邻居王某"]))
    signed = worker.post(f"/warnings/{WARNING}/visit", _refusal(signed=True))

    assert [(said.status_code, said.json()["code"]) for said in (bare, one)] == [(422, "step_refused")] * 2
    assert (two.json()["signed"], two.json()["witnesses"]) == (False, "村主任、邻居王某")
    assert (signed.json()["signed"], signed.json()["witnesses"]) == (True, "")


def test_consent_to_charity_says_whose_and_how(dispatched: Cast, by_key) -> None:
    worker = by_key(dispatched.township)
    asked = _refusal(result_code="E", finding="有困难，政策外，愿意由慈善组织帮助。", consent=True)

    odd = worker.post(f"/warnings/{WARNING}/visit", asked | {"consent_how": "托人带话"})
    kept = worker.post(f"/warnings/{WARNING}/visit", asked | {"consent_how": "书面", "consent_by": "王强"})

    assert (odd.status_code, odd.json()["fields"][0]["where"]) == (422, "body.consent_how")
    assert (kept.json()["consent_by"], kept.json()["consent_how"]) == ("王强", "书面")


def test_a_limit_stands_still_goes_on_and_the_warning_changes_hands(dispatched: Cast, by_key) -> None:
    officer, worker = by_key(dispatched.county), by_key(dispatched.township)

    still = worker.post(
        f"/warnings/{WARNING}/suspend", {"until_on": _day(3), "ground": "全家外出就医，邻居证实"}
    )
    twice = worker.post(f"/warnings/{WARNING}/suspend", {"until_on": _day(4), "ground": "再中止一次"})
    on = worker.post(f"/warnings/{WARNING}/resume")
    seen = officer.get(f"/warnings/{WARNING}").json()
    stale = officer.post(
        f"/warnings/{WARNING}/reassign",
        {"to": sc.TOWNSHIP_B, "ground": "已迁居邻乡", "seen": seen["version"] - 1},
    )
    moved = officer.post(
        f"/warnings/{WARNING}/reassign",
        {"to": sc.TOWNSHIP_B, "ground": "已迁居邻乡", "seen": seen["version"]},
    )

    assert (still.status_code, still.json()["ended_at"]) == (200, None)
    assert (twice.status_code, twice.json()["code"]) == (422, "clock_refused")
    assert on.json()["ended_at"]
    assert [one["ground"] for one in seen["suspensions"]] == ["全家外出就医，邻居证实"]
    assert (stale.status_code, stale.json()["code"]) == (409, "outrun")
    assert (moved.json()["region_code"], moved.json()["assignee"]) == (sc.TOWNSHIP_B, "")
    assert worker.get(f"/warnings/{WARNING}").status_code == 404
    ground = by_key(dispatched.director).get(f"/warnings/{WARNING}").json()["suspensions"][0]["ground"]
    assert ground is None, "a director sees that the clock stood still, and nothing of the household"


def test_a_try_sent_twice_with_one_key_is_one_try(dispatched: Cast, by_key) -> None:
    worker = by_key(dispatched.township)
    asked = {"tried_on": _day(), "visitors": ["甲"], "finding": "邻居说在县城打工"}
    key = {"Idempotency-Key": "attempt-0001"}

    first = worker.post(f"/warnings/{WARNING}/attempt", asked, **key)
    again = worker.post(f"/warnings/{WARNING}/attempt", asked, **key)
    other = worker.post(f"/warnings/{WARNING}/attempt", asked)

    assert (first.status_code, first.json()) == (200, again.json())
    assert (other.status_code, other.json()["code"]) == (422, "step_refused")
    assert [one["finding"] for one in worker.get(f"/warnings/{WARNING}").json()["attempts"]] == [
        "邻居说在县城打工"
    ]


def test_an_unsolved_revisit_goes_on_as_another_warning(dispatched: Cast, by_key) -> None:
    officer, worker = by_key(dispatched.county), by_key(dispatched.township)
    asked = {"visited_on": _day(), "visitors": ["甲"], "result": "unsolved", "finding": "仍需每周透析"}

    early = worker.post(f"/warnings/{WARNING}/revisit", asked)
    worker.post(f"/warnings/{WARNING}/visit", _refusal(signed=True))
    officer.post(f"/warnings/{WARNING}/close", {"closing_note": "本人不愿接受"})
    made = worker.post(f"/warnings/{WARNING}/revisit", asked)
    again = worker.post(f"/warnings/{WARNING}/revisit", asked)

    assert (early.status_code, early.json()["code"]) == (422, "step_refused")
    assert (made.status_code, made.json()["result"]) == (200, "unsolved")
    assert officer.get(f"/warnings/{made.json()['led_to']}").json()["status"] == "new"
    assert officer.get(f"/warnings/{WARNING}").json()["revisit"] == made.json()
    assert (again.status_code, again.json()["code"]) == (422, "step_refused")


def test_a_threshold_is_proposed_by_one_and_approved_by_another(county: Cast, by_key) -> None:
    officer, director = by_key(county.county), by_key(county.director)
    asked = {
        "indicator": "M1", "parameter": "人均可支配收入", "value": "200000元", "from_on": _day(1),
        "ground": "按统计局新公布的人均可支配收入调整",
    }  # fmt: skip

    today = officer.post("/thresholds", asked | {"from_on": _day()})
    made = officer.post("/thresholds", asked)
    assert made.status_code == 200, made.content
    number = made.json()["number"]
    own = officer.post(f"/thresholds/{number}/decide", {"approve": True})
    waiting = director.get("/thresholds", status="submitted").json()
    approved = director.post(f"/thresholds/{number}/decide", {"approve": True, "decision": "同意"})
    withdrawn = officer.post(f"/thresholds/{number}/withdraw", {"ground": "数据口径有误"})

    assert (today.status_code, today.json()["code"]) == (422, "threshold_refused")
    assert len(made.json()["tested"]["trials"]) == 2
    assert own.status_code == 403
    assert ([one["number"] for one in waiting["items"]], waiting["total"]) == ([number], 1)
    assert (approved.json()["status"], approved.json()["decided_by"]) == ("approved", "director")
    assert withdrawn.json()["status"] == "withdrawn"
    assert by_key(county.stranger).get(f"/thresholds/{number}").status_code == 404
    assert by_key(county.stranger).get("/thresholds").json()["total"] == 0


def test_a_part_of_a_photo_that_is_no_base64_is_refused(county: Cast, by_key) -> None:
    asked = {
        "client_id": "7f6d1f0e-35a1-4d0e-9d6b-2f6f5d3f0a11", "name": "photo-1", "kind": "photo", "size": 3,
        "sha256": "0" * 64, "offset": 0,
    }  # fmt: skip

    said = [
        by_key(county.township).post("/field/files", asked | {"data": data})
        for data in ("照片", "é===", "abc", "a b=", "\udcff")
    ]

    assert {answer.status_code for answer in said} == {422}, [answer.content for answer in said]
    assert {answer.json()["code"] for answer in said} <= {"not_base64", "invalid"}
