"""A refusal has one shape, a code, two languages, and nothing of what a person sent."""

from __future__ import annotations

import logging

import pytest

from doudi.contexts.registry import services as registry
from tests import small_county as sc
from tests.cast import Cast

WARNING = "YJ20241115-H002"


def _is_problem(answer, status: int, code: str) -> dict:
    said = answer.json()
    assert (answer.status_code, said["code"]) == (status, code), said
    assert answer["Content-Type"] == "application/problem+json"
    assert "no-store" in answer["Cache-Control"]
    assert set(said) == {"type", "title", "status", "code", "zh", "en", "retry", "fields"}
    assert said["zh"] and said["en"] and said["status"] == status
    return said


def test_what_is_wrong_is_named_by_its_field_and_not_repeated(county: Cast, desk) -> None:
    sent = {"person_id": sc.ZHANG_WEI, "reason": "x", sc.LI_LI: 1}

    answer = desk(county.county).post("/households/H001/reveal", sent)

    said = _is_problem(answer, 422, "invalid")
    assert {field["where"] for field in said["fields"]} >= {"body.reason"}
    assert sc.ZHANG_WEI not in answer.content.decode() and sc.LI_LI not in answer.content.decode()


def test_a_misspelt_amount_is_not_taken_for_nothing(county: Cast, desk) -> None:
    body = {"code": "x", "amount": 5, "given_on": "2024-11-20", "ground": "临时救助"}

    said = _is_problem(desk(county.township).post(f"/warnings/{WARNING}/measure", body), 422, "invalid")

    assert [field["where"] for field in said["fields"]] == ["body.amount"]


@pytest.mark.parametrize(
    "day", ["20241115", "2024-02-30", "1731628800", "0", "2024-11-15T00:00:00", "9999-01-01"]
)
def test_a_day_is_a_day(county: Cast, desk, day: str) -> None:
    _is_problem(desk(county.county).get("/households/H001/facts", as_of=day), 422, "invalid")


@pytest.mark.parametrize("text", ["a\x00b", "\x1b[31m", "x" * 81])
def test_text_that_no_database_takes_is_refused_at_the_door(county: Cast, desk, text: str) -> None:
    officer = desk(county.county)

    _is_problem(officer.get("/households", text=text), 422, "invalid")
    _is_problem(officer.post("/households/search", {"text": text}), 422, "invalid")


def test_no_whole_id_in_an_address(county: Cast, desk) -> None:
    officer = desk(county.county)

    for path in ("/households", "/warnings"):
        answer = officer.get(path, text=sc.WANG_QIANG)
        _is_problem(answer, 422, "id_in_address")
        assert sc.WANG_QIANG not in answer.content.decode()

    found = officer.post("/households/search", {"text": sc.WANG_QIANG}).json()
    assert [row["household_no"] for row in found["items"]] == ["H002"]


@pytest.mark.parametrize("size", ["0", "101", "-1", "many"])
def test_a_page_has_an_end(county: Cast, desk, size: str) -> None:
    _is_problem(desk(county.county).get("/households", page_size=size), 422, "invalid")


def test_a_page_beyond_the_end_is_empty(county: Cast, desk) -> None:
    assert desk(county.county).get("/households", page=99).json() == {
        "items": [], "total": 3, "page": 99, "page_size": 25,
    }  # fmt: skip


def test_addresses_and_methods_that_are_not_there(county: Cast, desk) -> None:
    officer = desk(county.county)

    _is_problem(officer.get("/nothing"), 404, "not_found")
    _is_problem(officer.get(""), 404, "not_found")
    _is_problem(officer.get("/households/H999"), 404, "household_not_found")
    answer = officer.client.delete("/api/v1/households")
    _is_problem(answer, 405, "method_not_allowed")
    assert answer["Allow"] == "GET"


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 100_000, b'"\\ud800"', b"null", b"[]"])
def test_a_body_that_cannot_be_read(county: Cast, desk, body: bytes) -> None:
    answer = desk(county.county).client.post(
        "/api/v1/households/search", body, content_type="application/json"
    )

    assert answer.status_code in (400, 422)
    _is_problem(answer, answer.status_code, answer.json()["code"])


def test_a_fault_of_ours_says_nothing_of_what_happened(county: Cast, desk, monkeypatch, caplog) -> None:
    def broken(**_asked):
        raise RuntimeError(f"no such thing as {sc.ZHANG_WEI}")

    monkeypatch.setattr(registry, "households", broken)
    with caplog.at_level(logging.ERROR):
        answer = desk(county.county).get("/households")

    _is_problem(answer, 500, "fault")
    assert "RuntimeError" in caplog.text
    assert sc.ZHANG_WEI not in caplog.text + answer.content.decode()
