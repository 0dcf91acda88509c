"""A warning goes the whole way by the API, and a request that is sent twice is done once."""

from __future__ import annotations

import threading

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.assistance import services as assistance
from doudi.contexts.monitoring import services as monitoring
from tests import small_county as sc
from tests.cast import Cast

WARNING = "YJ20241115-H002"
VISIT = {
    "visited_on": "2024-11-20",
    "visitors": ["甲", "乙"],
    "result_code": "C",
    "finding": "住院花费大，家里没有积蓄。",
}
KEY = {"Idempotency-Key": "retry-0001"}


def _measure() -> dict:
    return {
        "code": next(iter(chain.rules()[0].measures)),
        "amount_fen": 200_000,
        "given_on": "2024-11-21",
        "ground": "临时救助，先行给予",
    }


def _visited(county: Cast, desk) -> None:
    desk(county.county).post(f"/warnings/{WARNING}/dispatch", {"to": sc.TOWNSHIP_A})
    assert desk(county.township).post(f"/warnings/{WARNING}/visit", VISIT).status_code == 200


def test_the_whole_way(county: Cast, by_key) -> None:
    officer, worker, office = by_key(county.county), by_key(county.township), by_key(county.department)
    seen = officer.get(f"/warnings/{WARNING}").json()

    dispatched = officer.post(
        f"/warnings/{WARNING}/dispatch", {"to": sc.TOWNSHIP_A, "seen": seen["version"]}
    ).json()
    visit = worker.post(f"/warnings/{WARNING}/visit", VISIT).json()
    given = worker.post(f"/warnings/{WARNING}/measure", _measure()).json()
    sent = worker.post(f"/warnings/{WARNING}/referral", {"department": "医保", "need": "医疗救助核报"}).json()
    too_early = officer.post(f"/warnings/{WARNING}/close", {"closing_note": "已办结"})
    accepted = office.post(f"/referrals/{sent['number']}/accept").json()
    answered = office.post(
        f"/referrals/{sent['number']}/answer",
        {"result": "solved", "answer": "已核报医疗救助", "amount_fen": 800_000},
    ).json()
    closed = officer.post(f"/warnings/{WARNING}/close", {"closing_note": "救助到位，已告知家庭"}).json()

    assert (seen["status"], dispatched["status"], closed["status"]) == ("new", "dispatched", "closed")
    assert (visit["visitors"], given["amount_fen"]) == ("甲、乙", 200_000)
    assert (too_early.status_code, too_early.json()["code"]) == (422, "step_refused")
    assert (sent["status"], accepted["status"], answered["status"]) == ("sent", "accepted", "answered")
    assert answered["amount_fen"] == 800_000
    assert [line["actor"] for line in closed["timeline"]][1:] == [
        "county", "township", "township", "township", "department", "department", "county",
    ]  # fmt: skip
    assert accounts.verify_audit().whole


def test_a_stale_view_is_told_and_no_line_of_the_timeline_is_repeated_in_the_refusal(
    county: Cast, desk
) -> None:
    officer = desk(county.county)
    seen = officer.get(f"/warnings/{WARNING}").json()["version"]
    remark = "联系人张三电话另告"
    officer.post(f"/warnings/{WARNING}/dispatch", {"to": sc.TOWNSHIP_A, "seen": seen, "remark": remark})

    answer = officer.post(f"/warnings/{WARNING}/dispatch", {"to": sc.TOWNSHIP_B, "seen": seen})

    assert (answer.status_code, answer.json()["code"]) == (409, "outrun")
    assert remark not in answer.content.decode()


def test_money_sent_twice_with_one_key_is_given_once(county: Cast, desk) -> None:
    _visited(county, desk)
    worker = desk(county.township)

    first = worker.post(f"/warnings/{WARNING}/measure", _measure(), **KEY)
    again = worker.post(f"/warnings/{WARNING}/measure", _measure(), **KEY)
    other = worker.post(f"/warnings/{WARNING}/measure", _measure(), **{"Idempotency-Key": "another-1"})

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert other.json()["id"] != first.json()["id"]
    assert len(assistance.measures_given(by=county.county, warning_number=WARNING)) == 2


def test_one_key_for_two_requests_is_refused(county: Cast, desk) -> None:
    _visited(county, desk)
    worker = desk(county.township)
    worker.post(f"/warnings/{WARNING}/measure", _measure(), **KEY)

    answer = worker.post(f"/warnings/{WARNING}/measure", {**_measure(), "amount_fen": 1}, **KEY)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_a_key_is_free_again_after_a_refusal(county: Cast, desk) -> None:
    worker = desk(county.township)
    early = worker.post(f"/warnings/{WARNING}/visit", VISIT, **KEY)
    desk(county.county).post(f"/warnings/{WARNING}/dispatch", {"to": sc.TOWNSHIP_A})

    now = worker.post(f"/warnings/{WARNING}/visit", VISIT, **KEY)

    assert early.status_code == 409
    assert now.status_code == 200


def test_the_same_key_of_two_accounts_is_two_keys(county: Cast, desk) -> None:
    _visited(county, desk)

    ours = desk(county.township).post(f"/warnings/{WARNING}/measure", _measure(), **KEY).json()
    theirs = desk(county.county).post(f"/warnings/{WARNING}/measure", _measure(), **KEY).json()

    assert ours["id"] != theirs["id"]


def test_the_first_answer_is_kept_sealed(county: Cast, desk) -> None:
    from django.db import connection

    _visited(county, desk)
    desk(county.township).post(f"/warnings/{WARNING}/measure", _measure(), **KEY)

    with connection.cursor() as cursor:
        cursor.execute("select answer from accounts_firstanswer")
        (kept,) = cursor.fetchone()
    assert "临时救助".encode() not in bytes(kept)


@pytest.mark.django_db(transaction=True)
def test_two_at_once_with_one_key_give_once(county: Cast, desk) -> None:
    _visited(county, desk)
    answers, gate = [], threading.Barrier(2)

    def give() -> None:
        worker = desk(county.township)
        gate.wait()
        answers.append(worker.post(f"/warnings/{WARNING}/measure", _measure(), **KEY).json())
        connections.close_all()

    threads = [threading.Thread(target=give) for _ in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]

    assert answers[0] == answers[1]
    assert len(assistance.measures_given(by=county.county, warning_number=WARNING)) == 1


# ---- files and screens ----------------------------------------------------------------------------------------


def _send(desk, name: str, content: bytes, **fields: str):
    return desk.client.post(
        "/api/v1/loads", {"as_of": sc.AS_OF, **fields, "file": SimpleUploadedFile(name, content)}
    )


def test_a_file_is_taken_in_once_and_its_wrong_rows_go_back(county: Cast, desk) -> None:
    officer = desk(county.county)
    rows = [*sc.MEDICAL, ["李丽", "110", "不是日期", "5", "5", "否"]]
    content = "\n".join(",".join(row) for row in [sc.MEDICAL_HEADER, *rows]).encode()

    first, again = (_send(officer, "医保.csv", content, feed="medical") for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["unchanged"] is True
    load = first.json()
    assert (load["feed"], load["counts"]["read"], load["counts"]["quarantined"]) == ("medical", 2, 1)
    back = officer.get(f"/loads/{load['id']}/return")
    assert back.content[:2] == b"PK"
    assert officer.get(f"/loads/{load['id']}").json()["counts"]["good"] == 1
    assert officer.get("/loads").json()["items"][0]["id"] == load["id"]


def test_a_file_that_cannot_be_read_is_refused_and_stands_in_the_list(county: Cast, desk) -> None:
    officer = desk(county.county)

    answer = _send(officer, "x.xlsx", b"not a workbook", feed="medical")

    assert answer.status_code == 422
    assert answer.json()["zh"]
    refused = officer.get("/loads").json()["items"][0]
    assert (refused["status"], refused["counts"]) == ("refused", {})
    assert officer.get(f"/loads/{refused['id']}/return").status_code == 404


@pytest.mark.parametrize(
    "name", ["../../escaped.csv", "..\\escaped.csv", "长" * 200 + ".csv", "a\x01b.csv", "..", "x.csv "]
)
def test_a_hostile_file_name_stays_in_its_folder(county: Cast, desk, office, name: str) -> None:
    content = "\n".join(",".join(row) for row in [sc.MEDICAL_HEADER, *sc.MEDICAL])
    part = '--B\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n{}\r\n'
    body = part.format("as_of", "", sc.AS_OF) + part.format("feed", "", "medical")
    body += part.format("file", f'; filename="{name}"', content) + "--B--\r\n"
    before = {path for path in office.rglob("*") if path.suffix == ".csv"}

    answer = desk(county.county).client.post(
        "/api/v1/loads", body.encode(), content_type="multipart/form-data; boundary=B"
    )

    assert answer.status_code in (200, 201, 422), answer.content
    assert {path for path in office.parent.rglob("*.csv") if "escaped" in path.name} == set()
    assert {path for path in office.rglob("*") if path.suffix == ".csv"} == before
    assert not list((office / "work").iterdir())


def test_a_screen_again_changes_nothing(county: Cast, desk) -> None:
    officer = desk(county.county)
    before = officer.get("/warnings", status="all").json()["items"]

    answer = officer.post("/screens", {"as_of": sc.AS_OF})

    assert answer.status_code == 201
    assert answer.json()["warnings"] == {"opened": 0, "updated": 0, "closed": 0}
    assert officer.get("/warnings", status="all").json()["items"] == before
    assert officer.get("/screens").json()["items"][0]["id"] == answer.json()["id"]


def test_an_explanation_says_money_in_fen_and_its_document(county: Cast, desk) -> None:
    told = desk(county.township).get("/households/H001/explanation", as_of=sc.AS_OF).json()

    money = [variable for variable in told["variables"] if variable["value_fen"] is not None]
    assert told["category"] == "DB"
    assert money and all(isinstance(variable["value_fen"], int) for variable in money)
    assert all(round(float(variable["value"]) * 100) == variable["value_fen"] for variable in money)
    assert any(variable["parameter"] and variable["parameter"]["document"] for variable in told["variables"])


def test_facts_say_what_has_not_arrived(county: Cast, desk) -> None:
    feeds = {feed["feed"]: feed for feed in desk(county.county).get("/households/H002/facts").json()["feeds"]}

    assert feeds["medical"]["status"] == "已知"
    assert feeds["medical"]["rows"][0]["values"]["个人自付"] == "30000.00元"
    assert feeds["death"]["status"] == "查无"
    assert desk(county.auditor).get("/households/H002/facts").json()["feeds"][0]["rows"] is not None


def test_divisions_have_names_a_way_up_and_a_way_down(county: Cast, desk) -> None:
    found = desk(county.department).get("/regions/520102").json()

    assert (found["name"], found["level"]) == ("南明区", "县（市、区）")
    assert [step["code"] for step in found["path"]] == ["52", "5201", "520102"]
    assert desk(county.department).get("/regions/999999").json()["code"] == "region_not_found"


def test_the_auditor_reads_the_log_and_the_chain(county: Cast, desk) -> None:
    auditor = desk(county.auditor)
    desk(county.township).get("/households/H001", reason="核对成员")

    log = auditor.get("/audit", subject="household:H001").json()["items"]
    state = auditor.get("/audit/verify").json()

    assert (log[0]["actor"], log[0]["reason"]) == ("township", "核对成员")
    assert state["whole"] is True and state["entries"] > 0


def test_monitoring_agrees_with_the_services(county: Cast, desk) -> None:
    listed = desk(county.county).get("/warnings", status="all", sort="household").json()

    assert [row["number"] for row in listed["items"]] == [
        case.number for case in monitoring.warnings(by=county.county, status="all", sort="household")
    ]
