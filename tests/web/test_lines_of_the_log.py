"""A line of the log names the request and the route, and never a person, a household or what was typed."""

from __future__ import annotations

import io
import json

import pytest

from doudi.house.logs import settings as log_settings


@pytest.fixture
def lines():
    """What goes to standard error, read back line by line, with every request logged."""
    import logging.config

    out = io.StringIO()
    told = log_settings("INFO")
    told["handlers"]["stderr"]["stream"] = out
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logging.config.dictConfig(told)
    try:
        yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    finally:
        root.handlers, root.level = before, level
        logging.getLogger("doudi.requests").setLevel(logging.WARNING)


def test_every_request_leaves_a_line_with_its_number(county, browser, lines):
    answer = browser(county.county).get(
        "/households/H002/?on=2024-11-15", headers={"X-Request-ID": "proxy-12345678"}
    )

    line = [one for one in lines() if one["event"] == "request"][-1]
    assert answer["X-Request-ID"] == line["request_id"] == "proxy-12345678"
    assert (line["method"], line["status"], line["route"]) == ("GET", 200, "/households/<path:household_no>/")
    assert line["ms"] > 0 and line["timestamp"]


@pytest.mark.parametrize(
    "given", ["", "short", "x" * 65, "a b c d e f g h", "12345678\r\nX-Evil: 1", "编号编号编号编号"]
)
def test_a_number_that_is_none_is_not_taken(db, client, given):
    number = client.get("/healthz", HTTP_X_REQUEST_ID=given)["X-Request-ID"]

    assert number != given and len(number) == 16


def test_nothing_of_a_person_is_in_the_lines(county, browser, lines):
    desk = browser(county.county)
    desk.get("/households/H002/")
    desk.get("/households/H-不在-110105194912310021/")
    desk.get("/nowhere/王强/?text=110105194912310021")
    desk.post("/households/", {"text": "王强"})
    desk.get("/api/v1/households/H002")

    said = json.dumps(lines(), ensure_ascii=False)
    assert "request" in said
    for word in ("H002", "110105194912310021", "王强", "county", "127.0.0.1", "/nowhere/"):
        assert word not in said, word


def test_a_fault_is_logged_with_its_number_and_without_its_address(county, browser, lines, monkeypatch):
    def broken(*_args: object, **_named: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr("doudi.web.views.households.registry.look_at_household", broken)
    desk = browser(county.county)
    desk.raise_request_exception = False

    answer = desk.get("/households/H002/")

    assert answer.status_code == 500
    fault = next(one for one in lines() if one["level"] == "error")
    assert fault["request_id"] == answer["X-Request-ID"]
    assert "ZeroDivisionError" in fault["exception"] and "H002" not in json.dumps(fault)
