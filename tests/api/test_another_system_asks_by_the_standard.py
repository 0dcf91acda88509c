"""SP-DCI: a household by number, by identity number, by size and category; masked, within the area, in the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Act
from tests import small_county as sc
from tests.cast import Cast

SPEC = Path(__file__).parents[1] / "data" / "dci" / "social_api_v1.0.0.yaml"


@pytest.fixture
def ask(client, key_for):
    """Send one search (or a whole message) with somebody's key."""

    def send(
        owner, criteria: Any = None, *, to: str = "sync/search", message: Any = None, **header: Any
    ) -> Any:
        said = {
            "signature": "",
            "header": {
                "version": "1.0.0",
                "message_id": "m-1",
                "message_ts": "2026-11-29T08:00:00+08:00",
                "action": "search",
                "sender_id": "provincial-hub",
                "total_count": 1,
                **header,
            },
            "message": message
            or {
                "transaction_id": "t-1",
                "search_request": [
                    {
                        "reference_id": "r-1",
                        "timestamp": "2026-11-29T08:00:00+08:00",
                        "search_criteria": criteria,
                    }
                ],
            },
        }
        key = (
            owner
            if isinstance(owner, str)
            else key_for(owner, scopes=[Act.VIEW_HOUSEHOLDS, Act.REVEAL_IDENTITY])
        )
        return client.post(
            f"/dci/registry/{to}",
            json.dumps(said),
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )

    return send


def expression(*conditions: dict[str, Any], **more: Any) -> dict[str, Any]:
    query = {
        "type": "NoSql",
        "value": {"expression": {"collection": "Group", "query": {"$and": list(conditions)}}},
    }
    return {"query_type": "expression", "response_entity": "Group", "query": query, **more}


def first(answer: Any) -> dict[str, Any]:
    return answer.json()["message"]["search_response"][0]


def numbers(answer: Any) -> list[str]:
    return [record["@id"] for record in first(answer)["data"]["reg_records"]]


def test_a_person_is_found_by_number_and_only_that_number_is_whole(county: Cast, ask) -> None:
    answer = ask(
        county.county, {"query_type": "idtype-value", "query": {"type": "NID", "value": sc.ZHANG_WEI}}
    )

    group = first(answer)["data"]["reg_records"][0]
    shown = [m["member_identifier"][0]["identifier_value"] for m in group["member_list"]]
    assert group["@id"] == "H001" and group["group_size"] == len(shown)
    assert sc.ZHANG_WEI in shown and sc.LI_LI not in answer.content.decode()
    assert all("*" in number for number in shown if number != sc.ZHANG_WEI)
    looks = accounts.audit_entries(by=county.auditor, act="view_households", subject="household:H001")
    assert "DCI t-1 r-1" in looks[0].reason


def test_a_search_by_number_asks_for_more_than_seeing_households(county: Cast, ask, key_for) -> None:
    narrow = key_for(county.county, scopes=[Act.VIEW_HOUSEHOLDS])

    said = first(ask(narrow, {"query_type": "idtype-value", "query": {"type": "NID", "value": sc.ZHANG_WEI}}))

    assert said["status"] == "rjct" and "data" not in said


def test_households_by_size_category_region_and_order(county: Cast, ask) -> None:
    small = ask(county.county, expression({"household_size": {"$lt": 2}}))
    sorted_ = ask(
        county.county,
        expression({"group_size": {"$gte": 1}}, sort=[{"attribute_name": "group_size", "sort_order": "desc"}],
                   pagination={"page_size": 2, "page_number": 1}),
    )  # fmt: skip
    there = ask(county.county, expression({"sub_region_code": sc.TOWNSHIP_B}, {"category": "低保"}))
    predicate = {
        "query_type": "predicate",
        "query": [
            {
                "seq_num": 1,
                "expression1": {"attribute_name": "category", "operator": "eq", "attribute_value": "低保"},
            }
        ],
    }

    assert numbers(small) == ["H002"]
    assert first(sorted_)["pagination"] == {"page_size": 2, "page_number": 1, "total_count": 3}
    assert len(numbers(sorted_)) == 2 and "H002" not in numbers(sorted_)
    assert numbers(there) == ["H003"]
    assert "H003" in numbers(ask(county.county, predicate))


def test_the_area_of_the_key_is_the_edge_of_the_answer(county: Cast, ask) -> None:
    everybody = expression({"group_size": {"$gte": 0}})

    assert "H003" not in numbers(ask(county.township, everybody))
    assert numbers(ask(county.stranger, everybody)) == []


@pytest.mark.parametrize(
    ("criteria", "code"),
    [
        (expression({"poverty_score": {"$lt": 5}}), "rjct.search_criteria.invalid"),
        (expression(), "rjct.search_criteria.invalid"),
        (expression({"group_size": {"$lt": "5 or 1=1"}}), "rjct.search_criteria.invalid"),
        (
            {"query_type": "idtype-value", "query": {"type": "NID", "value": "1 or 1"}},
            "rjct.search_criteria.invalid",
        ),
        ({"query_type": "graphql", "query": "{}"}, "rjct.search_criteria.invalid"),
        (expression({"group_size": 1}, sort=[{"attribute_name": "name"}]), "rjct.sort.invalid"),
        (expression({"group_size": 1}, pagination={"page_size": 5000}), "rjct.pagination.invalid"),
        (None, "rjct.search_criteria.invalid"),
    ],
)
def test_what_is_not_understood_is_refused_and_never_left_out(
    county: Cast, ask, criteria: Any, code: str
) -> None:
    said = first(ask(county.county, criteria))

    assert (said["status"], said["status_reason_code"]) == ("rjct", code)
    assert "data" not in said


def test_messages_that_are_no_messages(county: Cast, ask, client, key_for) -> None:
    assert ask("doudi_nonsense", expression()).status_code == 401
    assert ask("doudi_nonsense", expression()).json()["errors"][0]["code"] == "err.request.unauthorized"
    narrow = key_for(county.county, scopes=[Act.VIEW_WARNINGS])
    assert ask(narrow, expression({"group_size": 1})).status_code == 403
    key = key_for(county.county, scopes=[Act.VIEW_HOUSEHOLDS])
    for body in (b"", b"[1]", b"{", b'{"header": 1, "message": {}}', b"\xff\xfe"):
        answer = client.post(
            "/dci/registry/sync/search", body, content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )  # fmt: skip
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "err.request.bad")
    assert client.get("/dci/registry/sync/search").status_code == 405
    wrong = ask(county.county, expression({"group_size": 1}), action="subscribe").json()["header"]
    assert (wrong["status"], wrong["status_reason_code"]) == ("rjct", "rjct.action.invalid")
    later = ask(county.county, expression({"group_size": 1}), to="search").json()["message"]
    assert later["ack_status"] == "NACK"
    status = ask(
        county.county, message={"transaction_id": "t"}, to="sync/txn/status", action="txn-status"
    ).json()
    assert status["header"]["status"] == "rjct"


def test_answers_keep_to_the_published_description(county: Cast, ask) -> None:
    spec = yaml.safe_load(SPEC.read_text(encoding="utf-8"))
    schemas = spec["components"]["schemas"]
    for criteria in (expression({"group_size": {"$gte": 1}}), expression({"poverty_score": 1})):
        said = ask(county.county, criteria).json()
        for schema, part in (
            ("SearchResponse", said["message"]),
            ("MsgCallbackHeader_V1.0.0", said["header"]),
        ):
            # references are resolved against the whole description, as it was published
            jsonschema.validate(part, {**spec, **schemas[schema]})
