"""Every operation, every role: what the policy table says, and no row of another area or department."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import get_resolver

from doudi.api.description import api
from doudi.contexts.accounts.services import POLICY, Act, Role, may
from tests import small_county as sc
from tests.cast import Cast

WARNING = "YJ20241115-H002"
PEOPLE = ("张伟", "李丽", "王强", "赵敏", "赵国")
IDS = (sc.ZHANG_WEI, sc.LI_LI, sc.WANG_QIANG, sc.ZHAO_MIN, sc.ZHAO_GUO)


def operations() -> list[tuple[str, str, str]]:
    """Method, path below /api/v1 and act of every operation in the description."""
    return [
        (method, path.removeprefix("/api/v1"), operation["x-act"])
        for path, methods in api().get_openapi_schema()["paths"].items()
        for method, operation in methods.items()
    ]


def filled(path: str) -> str:
    number = "TS-1" if "referrals" in path else WARNING
    values = {"household_no": "H002", "number": number, "code": "520102", "load_id": "1", "pair": "1"}
    return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], path)


def ask(desk: Any, method: str, path: str) -> Any:
    return desk.get(filled(path)) if method == "get" else desk.post(filled(path))


@pytest.mark.parametrize(("method", "path", "act"), operations(), ids=lambda part: str(part))
@pytest.mark.django_db
def test_a_passer_by_gets_nothing(client, method: str, path: str, act: str) -> None:
    answer = client.generic(method.upper(), f"/api/v1{filled(path)}")

    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_signed_in"


def test_each_role_gets_what_the_table_says(county: Cast, desk, by_key) -> None:
    for person in county.everybody():
        # a key names acts of its holder: who has none cannot have one
        keyed = [by_key(person)] if any(may(person, act) for act in Act) else []
        for asker in (desk(person), *keyed):
            for method, path, act in operations():
                answer = ask(asker, method, path)

                where = f"{person.username} {method} {path}: {answer.status_code} {answer.content[:200]!r}"
                allowed = not act or Role(person.role) in POLICY[Act(act)]
                if person is county.stranger and act in ("load_feeds", "view_loads", "screen"):
                    # files of everybody: another county's officer is refused, or stopped at the form
                    assert answer.status_code in (403, 422), where
                elif allowed:
                    assert answer.status_code in (200, 201, 404, 409, 422), where
                else:
                    assert answer.status_code == 403, where
                    assert answer.json()["code"] in ("not_allowed", "key_scope"), where


def test_no_address_of_the_api_is_outside_the_description() -> None:
    described = {path.removeprefix("/api/v1/") for _method, path, _act in operations()}
    patterns = next(
        found.url_patterns
        for found in get_resolver("doudi.api.urls").url_patterns
        if str(found.pattern) == "api/v1/"
    )
    there = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(found.pattern)) for found in patterns}

    assert there - {"openapi.json", ""} == {path.lstrip("/") for path in described}


READS = [
    "/households", "/households/H001", "/households/H002", "/households/H003", "/households/H002/facts",
    "/households/H002/explanation", "/warnings?status=all", f"/warnings/{WARNING}", "/warnings/YJ20241115-H003",
    "/referrals?status=all", "/audit",
]  # fmt: skip


def test_people_of_another_county_are_not_there(county: Cast, desk) -> None:
    stranger = desk(county.stranger)

    said = [stranger.get(path.partition("?")[0], **_query(path)) for path in READS]
    searched = [stranger.post("/households/search", {"text": text}) for text in (*PEOPLE, *IDS, "H002")]

    for answer in said + searched:
        text = answer.content.decode()
        assert not any(name in text for name in (*PEOPLE, *IDS, sc.TOWNSHIP_A, sc.TOWNSHIP_B)), text
    assert all(answer.json()["total"] == 0 for answer in searched)


def _query(path: str) -> dict[str, str]:
    query = path.partition("?")[2]
    return dict([query.split("=")]) if query else {}


def test_a_township_sees_its_own_households_only(county: Cast, desk) -> None:
    ours, theirs = desk(county.township), desk(county.other_township)

    assert [row["household_no"] for row in ours.get("/households").json()["items"]] == ["H001", "H002"]
    assert [row["household_no"] for row in theirs.get("/households").json()["items"]] == ["H003"]
    assert theirs.get("/households/H002").status_code == 404
    assert theirs.get(f"/warnings/{WARNING}").status_code == 404
    answer = theirs.post(f"/warnings/{WARNING}/visit", VISIT)
    assert (answer.status_code, answer.json()["code"]) == (404, "warning_not_found")


VISIT = {
    "visited_on": "2024-11-20",
    "visitors": ["甲", "乙"],
    "result_code": "C",
    "finding": "住院花费大，家里没有积蓄。",
}


def test_a_director_sees_no_single_persons_finances(county: Cast, desk) -> None:
    desk(county.county).post(f"/warnings/{WARNING}/dispatch", {"to": sc.TOWNSHIP_A})
    desk(county.township).post(f"/warnings/{WARNING}/visit", VISIT)
    director = desk(county.director)

    warning = director.get(f"/warnings/{WARNING}").json()

    assert director.get("/households/H002/facts").status_code == 403
    assert director.get("/households/H002/explanation").status_code == 403
    assert (warning["visits"], warning["measures"], warning["referrals"]) == (None, None, None)
    assert warning["result_code"] == ""
    assert {line["text"] for line in warning["timeline"]} == {None}
    assert warning["head_name"] == "王*"
    assert "积蓄" not in str(warning)


def test_a_department_sees_its_own_referrals_and_never_finances(county: Cast, desk) -> None:
    desk(county.county).post(f"/warnings/{WARNING}/dispatch", {"to": sc.TOWNSHIP_A})
    township = desk(county.township)
    township.post(f"/warnings/{WARNING}/visit", VISIT)
    ours = township.post(
        f"/warnings/{WARNING}/referral", {"department": "医保", "need": "医疗救助核报"}
    ).json()
    theirs = township.post(
        f"/warnings/{WARNING}/referral", {"department": "教育", "need": "子女资助申请"}
    ).json()
    department = desk(county.department)

    listed = department.get("/referrals", status="all").json()["items"]
    whole = department.get(f"/referrals/{ours['number']}").json()

    assert [row["number"] for row in listed] == [ours["number"]]
    assert "id_number" not in listed[0]
    assert (whole["person_name"], whole["id_number"]) == ("王强", sc.WANG_QIANG)
    assert department.get(f"/referrals/{theirs['number']}").status_code == 404
    assert department.post(f"/referrals/{theirs['number']}/accept").status_code == 404
    assert "30000" not in str(whole) and "花费" not in str(whole)
    for path in READS[:8]:
        assert department.get(path.partition("?")[0]).status_code == 403, path


def test_ids_and_telephones_are_masked_and_shown_whole_for_a_reason_alone(county: Cast, desk) -> None:
    officer, auditor = desk(county.county), desk(county.auditor)

    shown = officer.get("/households/H001").json()
    by_auditor = auditor.get("/households/H001").json()
    wei = shown["members"][0]
    without = officer.post("/households/H001/reveal", {"person_id": wei["person_id"], "reason": "看"})
    revealed = officer.post(
        "/households/H001/reveal", {"person_id": wei["person_id"], "reason": "核对低保材料"}
    )

    assert wei["name"] == "张伟"
    assert wei["id_shown"] == f"529900{'*' * 8}{sc.ZHANG_WEI[-4:]}"
    assert wei["phone"] == "100****5678"
    assert not any(number in str(shown) + str(by_auditor) for number in IDS)
    assert by_auditor["members"][0]["name"] == "张*"
    assert without.status_code == 422
    assert revealed.json()["id_number"] == sc.ZHANG_WEI
    assert (
        auditor.post("/households/H001/reveal", {"person_id": 1, "reason": "核对低保材料"}).status_code == 403
    )
