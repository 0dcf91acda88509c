"""A program's key: what it may do, when it ends, and what is remembered of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Act
from doudi.engine.errors import DoudiError
from tests import small_county as sc
from tests.api.conftest import Desk
from tests.cast import Cast

WARNING = "YJ20241115-H002"


def test_a_key_does_what_it_names_and_no_more(county: Cast, by_key) -> None:
    program = by_key(county.county, scopes=[Act.VIEW_WARNINGS])

    assert program.get("/me").json()["acts"] == ["view_warnings"]
    assert program.get("/warnings").status_code == 200
    answer = program.get("/households")
    assert (answer.status_code, answer.json()["code"]) == (403, "key_scope")
    # without the act of seeing identities, names are masked though the owner may see them
    assert program.get("/warnings").json()["items"][0]["head_name"] in ("王*", "赵*")


def test_a_key_for_one_township_sees_that_township(county: Cast, by_key) -> None:
    program = by_key(county.county, region=sc.TOWNSHIP_B)

    assert [row["household_no"] for row in program.get("/households").json()["items"]] == ["H003"]
    assert program.get("/households/H002").status_code == 404


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"scopes": [Act.VIEW_AUDIT]}, "key_scopes"),
        ({"scopes": ["fly"]}, "key_scopes"),
        ({"scopes": []}, "key_scopes"),
        ({"region_code": "610102"}, "key_region"),
        ({"region_code": ""}, "key_region"),
        ({"expires_at": timedelta(days=400)}, "key_expiry"),
        ({"expires_at": timedelta(days=-1)}, "key_expiry"),
        ({"label": " "}, "key_label"),
    ],
)
def test_a_key_never_widens_its_account(county: Cast, wrong: dict, code: str) -> None:
    asked = {"label": "对接", "scopes": [Act.VIEW_WARNINGS], "expires_at": timedelta(days=1), **wrong}
    asked["expires_at"] = timezone.now() + asked["expires_at"]

    with pytest.raises(DoudiError) as refused:
        accounts.create_api_key(county.county, by=county.county, **asked)

    assert refused.value.code == code


def test_a_key_is_made_by_its_owner_or_by_who_manages_the_account(county: Cast) -> None:
    asked = {"label": "对接", "scopes": [Act.VIEW_WARNINGS], "expires_at": timezone.now() + timedelta(days=1)}

    with pytest.raises(accounts.NotAllowed):
        accounts.create_api_key(county.county, by=county.township, **asked)

    made = accounts.create_api_key(county.county, by=county.admin, **asked)
    assert accounts.read_audit(by=county.auditor, act="create_api_key").get().subject == (
        f"api_key:{made.key.prefix}"
    )


def test_the_key_itself_is_kept_nowhere(county: Cast, key_for) -> None:
    text = key_for(county.county)

    key = accounts.api_keys(by=county.county).get()
    kept = " ".join(str(getattr(key, field.name)) for field in key._meta.fields)
    assert text.startswith(key.prefix)
    assert text not in kept
    assert text.removeprefix(f"{key.prefix}_") not in kept


def test_a_key_ends_on_its_day(county: Cast, key_for) -> None:
    text = key_for(county.county)
    key = accounts.api_keys(by=county.county).get()
    type(key).objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    answer = Desk({"Authorization": f"Bearer {text}"}).get("/warnings")

    assert (answer.status_code, answer.json()["code"]) == (401, "key_expired")


def test_a_revoked_key_is_worthless_at_once(county: Cast, key_for) -> None:
    text = key_for(county.county)
    program = Desk({"Authorization": f"Bearer {text}"})
    assert program.get("/warnings").status_code == 200

    with pytest.raises(accounts.KeyRefused):
        accounts.revoke_api_key(text.rpartition("_")[0], by=county.stranger)
    accounts.revoke_api_key("_".join(text.split("_")[:2]), by=county.county)

    answer = program.get("/warnings")
    assert (answer.status_code, answer.json()["code"]) == (401, "key_revoked")
    assert accounts.read_audit(by=county.auditor, act="revoke_api_key").count() == 1


def test_a_closed_account_takes_its_keys_with_it(county: Cast, key_for) -> None:
    program = Desk({"Authorization": f"Bearer {key_for(county.county)}"})
    county.county.is_active = False
    county.county.save()

    assert program.get("/warnings").json()["code"] == "key_owner_closed"


def test_an_account_moved_to_a_smaller_area_is_not_reached_around_by_an_old_key(
    county: Cast, key_for
) -> None:
    program = Desk({"Authorization": f"Bearer {key_for(county.county)}"})
    county.county.region_code = sc.TOWNSHIP_B
    county.county.save()

    answer = program.get("/households")

    assert (answer.status_code, answer.json()["code"]) == (401, "key_region")


@pytest.mark.parametrize(
    "sent", ["", "x", "doudi_0000000000_" + "a" * 43, "doudi_\x00", "Ω" * 60, "a" * 9000]
)
def test_a_wrong_key_is_not_helped_by_a_session(county: Cast, desk, sent: str) -> None:
    signed_in = desk(county.county)

    answer = signed_in.client.get("/api/v1/warnings", headers={"Authorization": f"Bearer {sent}"})

    assert (answer.status_code, answer.json()["code"]) == (401, "key_unknown")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_changed_letter_makes_another_key(county: Cast, key_for) -> None:
    text = key_for(county.county)
    other = text[:-1] + ("A" if text[-1] != "A" else "B")

    assert Desk({"Authorization": f"Bearer {other}"}).get("/me").json()["code"] == "key_unknown"


def test_use_is_in_the_log_once_a_day_and_every_look_at_a_household_each_time(county: Cast, by_key) -> None:
    program = by_key(county.county)

    for _time in range(3):
        assert program.get("/households/H001").status_code == 200

    used = accounts.read_audit(by=county.auditor, act="use_api_key")
    looks = accounts.read_audit(by=county.auditor, act="view_households", subject="household:H001")
    assert used.count() == 1
    assert looks.count() == 3
    assert all(look.reason.startswith("接口密钥 doudi_") for look in looks)
    assert accounts.verify_audit().whole


def test_a_narrowed_account_is_never_saved(county: Cast, key_for) -> None:
    user, _key = accounts.user_of_api_key(key_for(county.county, region=sc.TOWNSHIP_A))

    with pytest.raises(TypeError):
        user.save()

    county.county.refresh_from_db()
    assert county.county.region_code == "520102"


def test_a_session_changes_nothing_without_its_csrf_token(county: Cast) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(county.county, backend="django.contrib.auth.backends.ModelBackend")
    where = f"/api/v1/warnings/{WARNING}/dispatch"
    sent = {"data": {"to": sc.TOWNSHIP_A}, "content_type": "application/json"}

    without = browser.post(where, **sent)
    token = browser.get("/").cookies["csrftoken"].value
    with_token = browser.post(where, **sent, headers={"X-CSRFToken": token})

    assert (without.status_code, without.json()["code"]) == (403, "csrf")
    assert with_token.status_code == 200
    assert browser.get("/api/v1/warnings").status_code == 200


def test_a_key_needs_no_csrf_token(county: Cast, key_for) -> None:
    program = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {key_for(county.county)}"})

    answer = program.post(
        f"/api/v1/warnings/{WARNING}/dispatch", {"to": sc.TOWNSHIP_A}, content_type="application/json"
    )

    assert answer.status_code == 200
