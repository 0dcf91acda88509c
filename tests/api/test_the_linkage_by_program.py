"""Filing, needs and claims by program, and the fields that never leave the house for a body."""

from __future__ import annotations

import pytest

from doudi.api.description import api
from doudi.contexts.charity import services as charity
from doudi.contexts.charity.models import AidFiling
from tests.api.test_every_role_and_operation import ask, operations
from tests.linked_county import SECRETS, TEXT, link
from tests.small_county import WANG_QIANG


@pytest.fixture
def linked(county, monkeypatch):
    return link(county, monkeypatch)


def test_a_union_files_once_however_often_it_sends(linked, by_key) -> None:
    union = by_key(linked.cast.member)
    aid = {
        "name": "王强", "id_number": WANG_QIANG, "aided_on": f"{linked.today}", "kind": "EDUCATION", "way": "cash",
        "amount_fen": 300_00, "money": "UNION",
    }  # fmt: skip

    first, again = (
        union.post("/linkage/filings", aid, **{"Idempotency-Key": "once-and-no-more"}) for _ in range(2)
    )

    assert first.status_code == 200, first.content
    assert first.json() == again.json()
    assert AidFiling.objects.filter(kind="EDUCATION").count() == 1
    assert "household_no" not in first.json() and "category" not in first.json()
    refused = union.post("/linkage/filings", {**aid, "id_number": "1234"})
    assert (refused.status_code, refused.json()["code"]) == (422, "id_invalid")


def test_a_charity_reads_claims_and_gives(linked, desk) -> None:
    body = desk(linked.cast.charity)
    need = body.get(f"/linkage/needs/{linked.need.code}").json()
    assert need["public_text"] == TEXT
    assert need["gap_fen"] == 27_000_00
    assert not {"household_no", "income_fen", "region_code", "origin", "cell"} & set(need)
    assert {"household_no", "income_fen"} <= set(
        desk(linked.cast.township).get(f"/linkage/needs/{linked.need.code}").json()
    )

    over = body.post(
        f"/linkage/claims/{linked.claim.number}/grant",
        {"way": "cash", "amount_fen": 30_000_00, "granted_on": f"{linked.today}", "money": "DONATION"},
    )
    assert (over.status_code, over.json()["code"]) == (422, "over_gap")
    given = body.post(
        f"/linkage/claims/{linked.claim.number}/grant",
        {
            "way": "cash",
            "amount_fen": 30_000_00,
            "granted_on": f"{linked.today}",
            "money": "DONATION",
            "cut_to_gap": True,
        },
    )
    assert given.json()["granted_fen"] == 27_000_00

    whole = desk(linked.cast.township).get("/linkage/received/H002").json()
    assert whole["by_layer_fen"] == {"public": 18_000_00, "member": 5_000_00, "charity": 27_000_00}
    assert body.get("/linkage/received/H002").status_code == 403


def test_the_second_claim_is_a_conflict(linked, desk) -> None:
    project = charity.open_project(name="职工大病", starts_on=linked.today, by=linked.cast.member)

    answer = desk(linked.cast.member).post(
        f"/linkage/needs/{linked.need.code}/claim", {"project": project.number}
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "outrun")


@pytest.mark.parametrize("who", ["charity", "member"])
def test_no_answer_holds_what_a_body_may_not_see(linked, desk, by_key, who: str) -> None:
    """Every operation, asked with addresses that lead somewhere, by session and by key."""
    body = getattr(linked.cast, who)
    own = ("王强", "王*") if who == "member" else ()
    real = {"/linkage/filings/{number}": linked.filing.number, "/linkage/needs/{code}": linked.need.code}
    told = 0
    for asker in (desk(body), by_key(body)):
        for method, path, _act in operations():
            answers = [ask(asker, method, path)]
            if path in real:
                answers.append(asker.get(path.replace("{number}", real[path]).replace("{code}", real[path])))
            for answer in answers:
                told += answer.status_code == 200
                if answer.status_code >= 400:
                    continue
                text = answer.content.decode()
                for secret in SECRETS:
                    assert secret in own or secret not in text, f"{method} {path}: {secret}"
    assert told >= 8


def test_the_tables_and_the_shapes_say_the_same() -> None:
    """A field of an answer is in the rules, and one for the office alone may be left out of the answer."""
    shapes = api().get_openapi_schema()["components"]["schemas"]
    for name, fields in (("NeedOut", charity.NEED_FIELDS), ("FilingOut", charity.FILING_FIELDS)):
        shape = shapes[name]
        assert set(shape["properties"]) <= set(fields), name
        for field in shape["properties"]:
            for_all = charity.Viewer.BODY in fields[field]
            assert (field in shape["required"]) == for_all, f"{name}.{field}"
