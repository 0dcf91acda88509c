"""离线入户 on the server's side: nothing sent is dropped, nothing on record is overwritten, sent twice is once."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed, read_audit, system_user
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.monitoring.services import (
    FilesMissing,
    SentDifferently,
    SentVisit,
    StepRefused,
    WarningNotFound,
)
from doudi.engine import pictures
from doudi.engine.errors import DoudiError
from doudi.house.paths import home
from tests.cast import Cast, assemble
from tests.small_county import AS_OF, TOWNSHIP_A, TOWNSHIP_B, WANG_QIANG

WANG = "YJ20241115-H002"
ONE, TWO = UUID(int=1), UUID(int=2)
# the smallest picture a browser writes: 1 × 1 PNG
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture
def cast(county: Path) -> Cast:
    cast = assemble()
    chain.dispatch(WANG, to=TOWNSHIP_A, by=cast.county)
    return cast


@pytest.fixture
def seen(cast: Cast) -> int:
    """The version of the warning that the township's officer took along."""
    return monitoring.take_along(by=cast.township, keep_days=7)[0].case.version


def visit(seen: int, **other: Any) -> SentVisit:
    told = SentVisit(
        client_id=ONE,
        number=WANG,
        seen=seen,
        filled_at=timezone.now(),
        visited_on=date.today(),
        visitors=["李乡办", "吴网格"],
        result_code="C",
        finding="住院自付三万元，家中无其他收入。",
    )
    return replace(told, **other)


def send_file(
    by: Any,
    content: bytes = PNG,
    *,
    part: int = 1000,
    name: str = "signature",
    kind: str = "signature",
    client_id: UUID = ONE,
) -> Any:
    file, at = None, 0
    while file is None or not file.stored:
        file = monitoring.take_part(
            client_id=client_id,
            name=name,
            kind=kind,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            offset=at,
            content=content[at : at + part],
            by=by,
        )
        at = file.received
    return file


def test_what_goes_along_is_what_a_visitor_needs_and_every_household_is_a_look(cast: Cast) -> None:
    taken = monitoring.take_along(by=cast.township, keep_days=7)

    assert [one.case.number for one in taken] == [WANG]
    assert (taken[0].place, taken[0].phone) == ("虚构路2号", "10087654321")
    assert WANG_QIANG not in str(taken[0].people)
    assert ("take_along", "household:H002") in {(e.act, e.subject) for e in read_audit(by=cast.auditor)}
    assert monitoring.take_along(by=cast.other_township, keep_days=7) == []
    with pytest.raises(NotAllowed):
        monitoring.take_along(by=cast.county, keep_days=7)


def test_a_visit_comes_back_and_is_a_visit_of_the_warning(cast: Cast, seen: int) -> None:
    kept = chain.take_field_visit(visit(seen), by=cast.township)

    case = monitoring.warning(WANG, by=cast.county)
    assert (kept.state, case.status, case.result_code) == ("recorded", "visited", "C")
    assert case.visits.get() == kept.visit


def test_the_same_visit_sent_again_is_the_same_visit(cast: Cast, seen: int) -> None:
    sent = visit(seen)

    first, second = (chain.take_field_visit(sent, by=cast.township) for _ in range(2))

    assert first.pk == second.pk
    assert monitoring.warning(WANG, by=cast.county).visits.count() == 1
    with pytest.raises(SentDifferently):
        chain.take_field_visit(replace(sent, finding="改过的核实情况，和原来不一样。"), by=cast.township)


def test_what_the_workbench_would_refuse_is_refused_and_nothing_is_kept(cast: Cast, seen: int) -> None:
    with pytest.raises(StepRefused, match="2 名入户人员"):
        chain.take_field_visit(visit(seen, visitors=["李乡办"]), by=cast.township)

    assert not monitoring.field_visits(by=cast.township, pending=False).exists()
    assert chain.take_field_visit(visit(seen), by=cast.township).state == "recorded"


def test_a_colleagues_visit_of_that_day_makes_it_a_probable_duplicate(cast: Cast, seen: int) -> None:
    chain.record_visit(
        WANG,
        visited_on=date.today(),
        visitors=["钱村干"],
        result_code="D",
        finding="需要医保部门帮助。",
        by=cast.township,
    )

    kept = chain.take_field_visit(visit(seen), by=cast.township)

    case = monitoring.warning(WANG, by=cast.county)
    assert (kept.state, case.result_code, case.visits.count()) == ("duplicate", "D", 1)
    assert "钱村干" in kept.why
    assert monitoring.sent_visit(kept).finding == "住院自付三万元，家中无其他收入。"


def test_a_warning_that_went_to_another_township_keeps_both_sides(cast: Cast, seen: int) -> None:
    chain.dispatch(WANG, to=TOWNSHIP_B, by=cast.county, seen=seen)

    kept = chain.take_field_visit(visit(seen), by=cast.township)

    assert kept.state == "conflict" and "改派" in kept.why
    assert monitoring.warning(WANG, by=cast.county).status == "dispatched"
    for person in (cast.township, cast.other_township, cast.county):
        assert monitoring.field_visits(by=person).count() == 1
    # the township that answers for the household now decides
    with pytest.raises((NotAllowed, WarningNotFound)):
        chain.settle_field_visit(kept.pk, to="recorded", ground="就是这次入户", by=cast.township)
    done = chain.settle_field_visit(
        kept.pk, to="recorded", ground="原乡镇已入户，采用", by=cast.other_township
    )
    assert (done.state, done.visit.result_code) == ("recorded", "C")
    with pytest.raises(StepRefused, match="已由他人处理"):
        chain.settle_field_visit(kept.pk, to="set_aside", ground="再处理一次", by=cast.other_township)


def test_a_visit_to_a_closed_warning_can_be_noted_and_changes_nothing(cast: Cast, seen: int) -> None:
    chain.record_visit(
        WANG,
        visited_on=date.today() - timedelta(days=1),
        visitors=["钱村干"],
        result_code="F",
        finding="家中有存款和稳定收入，核实无困难。",
        by=cast.township,
    )
    chain.close(WANG, closing_note="核实无困难", by=cast.county)

    kept = chain.take_field_visit(visit(seen), by=cast.township)
    chain.settle_field_visit(kept.pk, to="noted", ground="办结后才传回", by=cast.township)

    case = monitoring.warning(WANG, by=cast.county)
    assert (case.status, case.result_code, case.visits.count()) == ("closed", "F", 1)
    assert any("住院自付三万元" in line.text for line in case.events.filter(kind="field"))


def test_a_screen_in_between_is_no_conflict(cast: Cast, seen: int) -> None:
    monitoring.WarningCase.objects.filter(number=WANG).update(version=seen + 1)
    monitoring.note(
        monitoring.case_of(WANG), by=system_user(), kind="update", text=f"{AS_OF} 筛查更新：新信号 M1"
    )

    kept = chain.take_field_visit(visit(seen), by=cast.township)

    assert kept.state == "recorded"


def test_three_tries_on_three_days_without_a_signal_lead_to_not_found(cast: Cast, seen: int) -> None:
    # the warning was dispatched three days ago
    monitoring.WarningCase.objects.filter(number=WANG).update(
        dispatched_at=timezone.now() - timedelta(days=4)
    )
    days = [date.today() - timedelta(days=ago) for ago in (3, 2)]

    tries = [
        chain.take_field_visit(
            visit(
                seen,
                client_id=UUID(int=number),
                visited_on=day,
                attempt=True,
                result_code="",
                finding="敲门无人应答，邻居不知去向。",
            ),
            by=cast.township,
        )
        for number, day in enumerate(days, 10)
    ]
    last = chain.take_field_visit(
        visit(seen, client_id=UUID(int=12), result_code="I", finding="三次寻访无人，村委证明已外出。"),
        by=cast.township,
    )

    assert [kept.state for kept in (*tries, last)] == ["recorded"] * 3
    case = monitoring.warning(WANG, by=cast.county)
    assert (case.attempts.count(), case.result_code) == (2, "I")


def test_refused_help_needs_the_signature_that_was_drawn_or_two_witnesses(cast: Cast, seen: int) -> None:
    refused = visit(seen, result_code="J", finding="本人说子女已供养，不愿接受救助。")

    with pytest.raises(StepRefused, match="签字"):
        chain.take_field_visit(refused, by=cast.township)
    with pytest.raises(StepRefused, match="没有签名图"):
        chain.take_field_visit(replace(refused, signed=True), by=cast.township)
    send_file(cast.township)
    kept = chain.take_field_visit(replace(refused, signed=True, files=["signature"]), by=cast.township)

    assert (kept.state, kept.visit.signed) == ("recorded", True)


def test_only_who_took_the_task_along_can_send_it_back(cast: Cast, seen: int) -> None:
    for person in (cast.other_township, cast.county):
        with pytest.raises((WarningNotFound, NotAllowed)):
            chain.take_field_visit(visit(seen), by=person)
    with pytest.raises(WarningNotFound):
        chain.take_field_visit(visit(seen + 9), by=cast.township)


# ---- photos and signatures ---------------------------------------------------------------------------------------


def test_a_broken_upload_goes_on_where_it_stopped(cast: Cast, seen: int) -> None:
    about = {
        "client_id": ONE,
        "name": "photo-1",
        "kind": "photo",
        "size": len(PNG),
        "sha256": hashlib.sha256(PNG).hexdigest(),
        "by": cast.township,
    }
    assert monitoring.take_part(**about, offset=0, content=PNG[:20]).received == 20
    # the answer was lost, so the telephone sends the first part again; then it goes on
    assert monitoring.take_part(**about, offset=0, content=PNG[:20]).received == 20
    with pytest.raises(FilesMissing):
        chain.take_field_visit(visit(seen, files=["photo-1"]), by=cast.township)
    file = monitoring.take_part(**about, offset=20, content=PNG[20:])
    assert file.stored and monitoring.take_part(**about, offset=0, content=PNG[:20]).stored

    kept = chain.take_field_visit(visit(seen, files=["photo-1"]), by=cast.township)

    assert monitoring.look_at_file(kept.files.get().pk, by=cast.county) == pictures.strip(PNG)
    assert "look_at_evidence" in {entry.act for entry in read_audit(by=cast.auditor)}
    with pytest.raises(monitoring.FieldVisitNotFound):
        monitoring.look_at_file(kept.files.get().pk, by=cast.stranger)


def test_a_part_that_is_not_what_was_announced_begins_anew(cast: Cast, seen: int) -> None:
    wrong = monitoring.take_part(
        client_id=ONE,
        name="photo-1",
        kind="photo",
        size=len(PNG),
        sha256="0" * 64,
        offset=0,
        content=PNG,
        by=cast.township,
    )

    assert (wrong.received, wrong.stored) == (0, "")


def test_pictures_lie_sealed_on_disk_and_in_the_database(cast: Cast, seen: int) -> None:
    half = monitoring.take_part(
        client_id=ONE,
        name="photo-2",
        kind="photo",
        size=len(PNG),
        sha256=hashlib.sha256(PNG).hexdigest(),
        offset=0,
        content=PNG[:40],
        by=cast.township,
    )
    send_file(cast.township)

    assert b"IHDR" not in bytes(half.content)
    on_disk = list(home().evidence.iterdir())
    assert len(on_disk) == 1 and b"IHDR" not in on_disk[0].read_bytes()


def test_another_account_cannot_write_into_a_visit(cast: Cast, seen: int) -> None:
    send_file(cast.township)

    with pytest.raises(monitoring.FieldVisitNotFound):
        send_file(cast.other_township)


def test_what_a_visit_says_is_sealed(cast: Cast, seen: int) -> None:
    from django.db import connection

    chain.take_field_visit(visit(seen, location="26.5,106.7,12"), by=cast.township)

    with connection.cursor() as cursor:
        cursor.execute("select content from monitoring_fieldvisit")
        content = bytes(cursor.fetchone()[0])
    assert "住院".encode() not in content and b"106.7" not in content


def test_a_blank_signature_drawn_again_leaves_the_equal_one_of_another_visit(cast: Cast, seen: int) -> None:
    first, second = (send_file(cast.township, client_id=one) for one in (ONE, TWO))

    monitoring.take_part(
        client_id=ONE, name="signature", kind="signature", size=3, sha256="0" * 64, offset=0, content=b"ab",
        by=cast.township,
    )  # fmt: skip

    assert not (home().evidence / first.stored).exists()
    assert (home().evidence / second.stored).exists()


def test_a_picture_that_is_gone_from_the_disk_says_so(cast: Cast, seen: int) -> None:
    send_file(cast.township)
    kept = chain.take_field_visit(visit(seen, files=["signature"]), by=cast.township)
    file = kept.files.get()
    (home().evidence / file.stored).unlink()

    with pytest.raises(DoudiError, match="从备份恢复"):
        monitoring.look_at_file(file.pk, by=cast.county)
