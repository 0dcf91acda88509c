"""Who comes in: a second factor that counts once, sessions that end, files that are one's own."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.utils import timezone

from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.models import AuditEntry, OwnPerson, SecondFactor, SignIn
from doudi.contexts.accounts.services import Admission
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from tests import small_county as sc

pytestmark = pytest.mark.django_db


def code_of(user, shift: int = 0) -> str:
    """What the telephone of ``user`` shows, ``shift`` steps of 30 seconds from now."""
    factor = SecondFactor.objects.get(user_id=user.pk)
    totp = TOTP(base64.b32decode(factor.secret), 6, SHA1(), 30, enforce_key_length=False)
    return totp.generate(int(timezone.now().timestamp()) + 30 * shift).decode()


@pytest.fixture
def officer(office, make_user):
    return make_user("chen", "county", "520102")


@pytest.fixture
def guarded(officer):
    """An officer with a second factor, and the recovery codes."""
    accounts.begin_second_factor(by=officer)
    codes = accounts.confirm_second_factor(code_of(officer), by=officer)
    return officer, codes


def test_the_codes_are_those_of_rfc_6238():
    """Appendix B, SHA-1, the last six of eight digits."""
    totp = TOTP(b"12345678901234567890", 6, SHA1(), 30, enforce_key_length=False)

    assert [totp.generate(at).decode() for at in (59, 1111111109, 2000000000)] == [
        "287082",
        "081804",
        "279037",
    ]


def test_a_code_counts_once(guarded):
    officer, _codes = guarded
    SecondFactor.objects.update(last_step=0)
    code = code_of(officer)

    accounts.check_second_factor(f" {code[:3]} {code[3:]} ", by=officer)

    with pytest.raises(DoudiError, match="已经用过"):
        accounts.check_second_factor(code, by=officer)


def test_codes_of_the_neighbouring_steps_hold_and_others_do_not(guarded):
    officer, _codes = guarded
    for shift, holds in ((-1, True), (1, True), (-2, False), (2, False)):
        SecondFactor.objects.update(last_step=0, failures=0)
        if holds:
            accounts.check_second_factor(code_of(officer, shift), by=officer)
        else:
            with pytest.raises(DoudiError):
                accounts.check_second_factor(code_of(officer, shift), by=officer)


@pytest.mark.parametrize("typed", ["", "000000x", "１２３４５６", "abc", "-" * 7, "0" * 5000])
def test_what_is_no_code_is_refused(guarded, typed):
    officer, _codes = guarded

    with pytest.raises(DoudiError):
        accounts.check_second_factor(typed, by=officer)


def test_after_five_wrong_codes_the_right_one_is_not_heard_for_five_minutes(guarded):
    officer, codes = guarded
    for _try in range(5):
        with pytest.raises(DoudiError):
            accounts.check_second_factor("000000", by=officer)
    SecondFactor.objects.update(last_step=0)

    for typed in (code_of(officer), codes[0]):
        with pytest.raises(DoudiError, match="分钟后再试"):
            accounts.check_second_factor(typed, by=officer)

    SecondFactor.objects.update(failed_at=timezone.now() - timedelta(minutes=6))
    accounts.check_second_factor(code_of(officer), by=officer)


def test_wrong_codes_count_when_turning_it_off_as_well(guarded):
    officer, _codes = guarded
    for _try in range(3):
        with pytest.raises(DoudiError):
            accounts.end_second_factor("chen", by=officer, code="000000")

    assert SecondFactor.objects.get().failures == 3


def test_a_recovery_code_takes_the_place_of_the_telephone_once(guarded):
    officer, codes = guarded
    assert len(set(codes)) == 10

    accounts.check_second_factor(codes[3].upper(), by=officer)

    assert accounts.codes_left(officer) == 9
    with pytest.raises(DoudiError, match="已经用过"):
        accounts.check_second_factor(codes[3], by=officer)


def test_neither_secret_nor_recovery_code_lies_open_in_the_database(guarded):
    from django.db import connection

    _officer, codes = guarded
    secret = SecondFactor.objects.get().secret
    with connection.cursor() as cursor:
        cursor.execute("select secret from accounts_secondfactor")
        assert secret.encode() not in bytes(cursor.fetchone()[0])
        cursor.execute("select digest from accounts_recoverycode")
        assert not any(codes[0].replace("-", "").encode() in bytes(row[0]) for row in cursor.fetchall())


def test_the_administrator_turns_it_off_for_a_ground_and_a_stranger_does_not(guarded, make_user):
    admin, stranger = make_user("admin", "admin"), make_user("other", "county", "610102")
    with pytest.raises(DoudiError):
        accounts.end_second_factor("chen", by=stranger, ground="手机丢失")
    with pytest.raises(DoudiError, match="理由"):
        accounts.end_second_factor("chen", by=admin)

    accounts.end_second_factor("chen", by=admin, ground="手机丢失")

    assert not SecondFactor.objects.exists()
    assert AuditEntry.objects.filter(act="second_factor_off", reason="手机丢失", actor="admin").count() == 1


# ---- sessions ----------------------------------------------------------------------------------------------------


def _admit(user, session):
    return accounts.admit(user, session, address="10.0.0.1", device="x" * 500)


def test_a_session_ends_after_half_an_hour_of_nothing(officer, settings):
    session: dict = {}
    assert _admit(officer, session) is Admission.GO_ON
    session["seen"] -= settings.IDLE_MINUTES * 60 - 5
    assert _admit(officer, session) is Admission.GO_ON

    session["seen"] -= settings.IDLE_MINUTES * 60 + 5

    assert _admit(officer, session) is Admission.IDLE
    assert SignIn.objects.get().ended_how == "idle"


def test_a_session_ends_after_a_working_day_however_busy(officer, settings):
    session: dict = {}
    _admit(officer, session)
    session["since"] -= settings.SESSION_HOURS * 3600 + 5

    assert _admit(officer, session) is Admission.IDLE


def test_the_oldest_of_too_many_sessions_ends(officer, settings):
    settings.SESSIONS = 2
    first, second, third = {}, {}, {}

    for session in (first, second, third):
        assert _admit(officer, session) is Admission.GO_ON

    assert [_admit(officer, session) for session in (first, second, third)] == [
        Admission.ENDED, Admission.GO_ON, Admission.GO_ON,
    ]  # fmt: skip


def test_ending_the_others_leaves_the_present_one(officer):
    here, there = {}, {}
    _admit(officer, there), _admit(officer, here)

    assert accounts.end_sessions(officer, by=officer, but=here) == 1

    assert (_admit(officer, here), _admit(officer, there)) == (Admission.GO_ON, Admission.ENDED)


def test_a_session_number_of_somebody_else_lets_nobody_in(officer, make_user):
    theirs: dict = {}
    _admit(make_user("other", "county", "610102"), theirs)

    assert _admit(officer, theirs) is Admission.ENDED


def test_what_comes_first(guarded, settings, make_user):
    officer, _codes = guarded
    session: dict = {}
    assert _admit(officer, session) is Admission.TYPE_CODE
    accounts.second_factor_passed(session)
    assert _admit(officer, session) is Admission.GO_ON

    settings.SECOND_FACTOR = ["admin"]
    assert _admit(make_user("admin", "admin"), {}) is Admission.SET_UP_CODE

    accounts.set_password("chen", "a-new-first-password-1", by=make_user("admin2", "admin"))
    officer.refresh_from_db()
    assert _admit(officer, session) is Admission.CHANGE_PASSWORD


@pytest.mark.parametrize(
    "weak", ["short-1", "passwordpassword", "111111111111", "1a1a1a1a1a1a", "chenchenchen", "12345678901"]
)
def test_weak_passwords_are_refused(office, weak, make_user):
    make_user("chen", "county", "520102")

    with pytest.raises(DoudiError) as refused:
        accounts.set_password("chen", weak, by=accounts.system_user())

    assert refused.value.code == "password_weak"


# ---- one's own file ----------------------------------------------------------------------------------------------


def test_the_file_of_kin_is_refused_on_every_road_and_flagged(county, make_user):
    officer, admin = make_user("chen", "county", "520102"), make_user("admin", "admin")
    number = sc.WANG_QIANG
    assert registry.household("H002", by=officer)
    accounts.note_own_person(officer, id_number=number.lower(), relation="兄弟姐妹", by=admin)

    roads = (
        lambda: registry.household("H002", by=officer),
        lambda: registry.look_at_household("H002", by=officer),
        lambda: monitoring.warning("YJ20241115-H002", by=officer),
    )
    for road in roads:
        with pytest.raises(accounts.OwnFile) as refused:
            road()
        accounts.flag_own_file(refused.value, by=officer)

    assert AuditEntry.objects.filter(act="own_file", actor="chen", subject="household:H002").count() == 3
    assert registry.household("H001", by=officer), "other files stay open"
    assert registry.household("H002", by=make_user("li", "county", "520102")), "and this one to others"
    assert not any(number in str(vars(row)) for row in OwnPerson.objects.all())


def test_who_is_noted_by_mistake_is_taken_off_again_by_the_administrator_alone(county, make_user):
    officer, admin = make_user("chen", "county", "520102"), make_user("admin", "admin")
    noted = accounts.note_own_person(officer, id_number=sc.WANG_QIANG, relation="本人", by=admin)
    again = accounts.note_own_person(officer, id_number=sc.WANG_QIANG, relation="本人", by=admin)
    assert noted.pk == again.pk

    with pytest.raises(DoudiError):
        accounts.forget_own_person(noted.pk, by=officer)
    accounts.forget_own_person(noted.pk, by=admin)

    assert registry.household("H002", by=officer)


def test_a_number_with_a_wrong_check_digit_is_not_noted(office, make_user):
    with pytest.raises(DoudiError, match="证件号"):
        accounts.note_own_person(
            make_user("chen", "county"),
            id_number="110105194912310021",
            relation="本人",
            by=make_user("admin", "admin"),
        )


def test_what_is_kept_of_sessions_that_are_over_goes_with_the_jobs(db):
    from django.contrib.sessions.models import Session

    now = timezone.now()
    for key, shift in (("over", -1), ("open", 1)):
        Session.objects.create(session_key=key, session_data="", expire_date=now + timedelta(hours=shift))

    assert accounts.drop_expired_sessions() == 1
    assert [one.session_key for one in Session.objects.all()] == ["open"]
