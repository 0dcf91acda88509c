"""The description is OpenAPI 3.1, says everything in Chinese, and the API keeps to it whatever is sent."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ninja import Schema
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from doudi.api.description import api
from doudi.contexts.accounts.services import Act, may
from tests import small_county as sc
from tests.cast import Cast
from tests.conftest import PROJECT

EXAMPLES = int(os.environ.get("DOUDI_API_EXAMPLES", "1"))
"""Requests per operation, account and kind (fitting, unfitting): ten thousand and more with 3 (issue 10)."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
REAL = {
    "household_no": ["H001", "H002", "H003"],
    "number": ["YJ20241115-H002", "YJ20241115-H003", "TS-YJ20241115-H002-医保-1"],
    "code": ["52", "520102", sc.TOWNSHIP_A],
    "load_id": [1, 2, 24],
    "pair": [1, 2],
}


def described() -> dict[str, Any]:
    return api().get_openapi_schema()


def test_it_is_openapi_3_1(client) -> None:
    answer = client.get("/api/v1/openapi.json")

    said = answer.json()
    assert said["openapi"].startswith("3.1")
    schemathesis.openapi.from_dict(said).validate()


def test_every_operation_says_its_act_its_refusals_and_what_it_is(client) -> None:
    for path, methods in described()["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert operation["description"].strip() and operation["summary"].strip(), where
            assert {"401", "403", "404", "409", "422"} <= {
                str(status) for status in operation["responses"]
            }, where
            assert operation["security"] == [{"KeyDoor": []}, {"SessionDoor": []}], where


def test_every_field_has_a_title_and_money_says_fen() -> None:
    for name, schema in described()["components"]["schemas"].items():
        for field, details in schema.get("properties", {}).items():
            assert (details.get("title") and not details["title"].isascii()) or field in (
                "en",
                "problem_en",
            ), f"{name}.{field}"
            # the basis of an amount is a code: how the sum is known
            assert "amount" not in field or field.endswith(("_fen", "amount_basis")), f"{name}.{field}"
            if field.endswith("_fen"):
                assert "分" in details["title"], f"{name}.{field}"


def test_the_reference_page_lists_every_operation_and_no_other() -> None:
    page = (PROJECT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    listed = {
        (method.lower(), re.sub(r"\{[^}]*\}", "{}", path))
        for method, path in re.findall(r"`(GET|POST) (/[^`]*)`", page)
    }
    there = {
        (method, re.sub(r"\{[^}]*\}", "{}", path.removeprefix("/api/v1")))
        for path, methods in described()["paths"].items()
        for method in methods
    }

    assert listed - {("get", "/api/v1/openapi.json")} == there


def test_no_page_of_the_api_loads_anything_from_elsewhere(client) -> None:
    assert client.get("/api/v1/docs").status_code == 404


@pytest.fixture
def server() -> Iterator[Any]:
    """The server's own entry, on the connection of the test, as Django's test client keeps it."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield get_wsgi_application()
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.slow
def test_whatever_is_sent_by_whom_nothing_breaks_and_every_answer_is_as_described(
    county: Cast, key_for, server
) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", server)
    keys = [
        f"Bearer {key_for(person)}" for person in county.everybody() if any(may(person, act) for act in Act)
    ]
    sent = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode), real=st.data())
            def send(case: Any, real: Any) -> None:
                nonlocal sent
                for name in case.path_parameters or {}:
                    if real.draw(st.booleans()):
                        case.path_parameters[name] = real.draw(st.sampled_from(REAL[name]))
                for key in keys:
                    case.call_and_validate(headers={"Authorization": key}, checks=CHECKS)
                    sent += 1

            send()
    print(f"{sent} requests")
    assert sent >= 26 * 2 * len(keys)


def test_no_two_shapes_bear_one_name() -> None:
    """Of two classes of one name the description would show one, and half of the answers would break it."""
    seen: dict[str, set[str]] = {}
    for shape in _shapes(Schema):
        if shape.__module__.startswith("doudi.api"):
            seen.setdefault(shape.__name__, set()).add(shape.__module__)

    assert {name: where for name, where in seen.items() if len(where) > 1} == {}


def _shapes(base: type) -> Iterator[type]:
    for shape in base.__subclasses__():
        yield shape
        yield from _shapes(shape)
