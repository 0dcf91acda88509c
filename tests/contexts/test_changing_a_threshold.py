"""An indicator's number for a future day: back-tested, proposed, approved by another, in force from its day and not before."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from unittest.mock import patch

import pytest
from django.db import connections
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.monitoring.models import Notice, ThresholdChange
from doudi.engine.errors import DoudiError
from tests import small_county as sc
from tests.cast import assemble

pytestmark = pytest.mark.django_db
D = date.fromisoformat(sc.AS_OF)
TOMORROW = D + timedelta(days=1)
NUMBER = "人均可支配收入"


@pytest.fixture
def cast(county):
    return assemble()


@pytest.fixture
def then():
    """Today is the day of the county's files, so that a future day can be screened."""
    with patch.object(timezone, "localdate", lambda moment=None, zone=None: moment.date() if moment else D):
        yield


def propose(cast, **more):
    asked = {
        "indicator": "M1", "parameter": NUMBER, "value": "200000元", "from_on": TOMORROW, "as_of": D,
        "ground": "按统计局新公布的人均可支配收入调整", "by": cast.county,
    }  # fmt: skip
    return chain.propose_threshold(**{**asked, **more})


def codes(run) -> dict[str, list[str]]:
    return {row["household_no"]: list(row["warnings"]) for row in monitoring.result_rows(run)}


def test_from_proposal_to_the_screen_of_its_day_and_the_replay_of_the_day_before(cast, then, by):
    before = chain.screen(as_of=D, by=by)
    change = propose(cast)

    assert (change.status, change.before) == (
        "submitted",
        chain.rules()[0].parameter(NUMBER, region="520102", urban_rural="城镇", on=D).text,
    )
    assert (
        len(change.tested["trials"]) == 2
        and change.tested["trials"][1]["total"] <= change.tested["trials"][0]["total"]
    )
    assert Notice.objects.filter(account="director", kind="threshold").exists()
    assert chain.rules()[0].layers == ("reference",), "a proposal changes nothing"

    chain.decide_threshold(change.number, approve=True, decision="同意", by=cast.director)

    pack = chain.rules()[0]
    assert pack.layers == ("reference", "approved")
    assert pack.parameter(NUMBER, region="520102", urban_rural="城镇", on=D).text == change.before
    in_force = pack.parameter(NUMBER, region="520102", urban_rural="城镇", on=TOMORROW)
    assert (in_force.document, in_force.text) == (change.number, "200,000元")
    assert pack.parameter(NUMBER, region="610102", urban_rural="城镇", on=TOMORROW).document != change.number

    same_day, next_day = chain.screen(as_of=D, by=by), chain.screen(as_of=TOMORROW, by=by)
    assert "M1" in codes(same_day)["H002"]
    assert "M1" not in codes(next_day)["H002"]
    assert same_day.result_hash == before.result_hash
    assert len({before.pack_hash, next_day.pack_hash}) == 2
    for run in (before, same_day, next_day):
        assert chain.replay(run.pk, by=by).equal


def test_withdrawn_before_its_day_it_never_holds_and_earlier_runs_still_replay(cast, then, by):
    change = propose(cast)
    chain.decide_threshold(change.number, approve=True, decision="", by=cast.director)
    run = chain.screen(as_of=D, by=by)

    monitoring.withdraw_threshold(change.number, ground="数据口径有误", by=cast.county)

    assert chain.rules()[0].layers == ("reference",)
    assert "M1" in codes(chain.screen(as_of=TOMORROW, by=by))["H002"]
    assert chain.replay(run.pk, by=by).equal


def test_once_in_force_it_is_not_withdrawn(cast, then):
    change = propose(cast)
    chain.decide_threshold(change.number, approve=True, decision="", by=cast.director)
    ThresholdChange.objects.filter(pk=change.pk).update(from_on=D)

    with pytest.raises(DoudiError, match="已生效，不能撤回"):
        monitoring.withdraw_threshold(change.number, ground="不想改了", by=cast.county)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"from_on": D}, "今天之后"),
        ({"ground": "改"}, "理由"),
        ({"value": "很多"}, "不是"),
        ({"parameter": "没有的数"}, "没有"),
        ({"parameter": "城镇低保标准"}, "不是指标|没有"),
    ],
)
def test_what_cannot_be_proposed(cast, then, more, said):
    with pytest.raises(DoudiError, match=said):
        propose(cast, **more)
    assert not ThresholdChange.objects.exists()


def test_nobody_approves_the_own_proposal_and_no_wrong_role(cast, then):
    change = propose(cast)
    for person in (cast.county, cast.township, cast.auditor):
        with pytest.raises(NotAllowed):
            chain.decide_threshold(change.number, approve=True, decision="同意", by=person)
    with pytest.raises(NotAllowed):
        propose(cast, by=cast.director)
    ThresholdChange.objects.update(submitted_by="director")
    with pytest.raises(DoudiError, match="提交人不能审批"):
        chain.decide_threshold(change.number, approve=True, decision="同意", by=cast.director)


def test_a_second_change_of_the_same_day_waits_for_the_first_to_be_withdrawn(cast, then):
    propose(cast)
    with pytest.raises(DoudiError, match="先撤回"):
        propose(cast, value="30000元")


def test_a_returned_change_says_why_and_may_be_proposed_again(cast, then):
    change = propose(cast)
    with pytest.raises(DoudiError, match="退回请写明理由"):
        chain.decide_threshold(change.number, approve=False, decision="", by=cast.director)
    chain.decide_threshold(change.number, approve=False, decision="依据文件不全", by=cast.director)

    assert Notice.objects.filter(account="county", text__contains="依据文件不全").exists()
    assert propose(cast).number != change.number


def test_another_county_neither_sees_nor_feels_it(cast, then):
    change = propose(cast)

    with pytest.raises(DoudiError, match="没有找到"):
        monitoring.threshold_change(change.number, by=cast.stranger)


@pytest.mark.django_db(transaction=True)
def test_two_who_decide_at_once_one_does(office, tmp_path, make_user, by, then):
    files = sc.write_county(tmp_path / "files")
    chain.take_in_folder(files, as_of=D, by=by)
    officer = make_user("officer", "county", "520102")
    directors = [make_user(f"director{n}", "director", "520102") for n in range(2)]
    change = chain.propose_threshold(
        indicator="M1", parameter=NUMBER, value="200000元", from_on=TOMORROW, as_of=D,
        ground="按统计局新公布的人均可支配收入调整", by=officer,
    )  # fmt: skip
    barrier, outcomes = threading.Barrier(2), []

    def decide(director, approve):
        barrier.wait()
        try:
            chain.decide_threshold(change.number, approve=approve, decision="意见如上", by=director)
            outcomes.append("decided")
        except DoudiError:
            outcomes.append("told")
        finally:
            connections.close_all()

    threads = [
        threading.Thread(target=decide, args=pair) for pair in zip(directors, (True, False), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["decided", "told"]


def test_a_verification_report_under_an_approved_number_is_computed_again_from_the_pack_of_then(
    cast, then, tmp_path
):
    change = propose(cast)
    chain.decide_threshold(change.number, approve=True, decision="同意", by=cast.director)
    request = chain.verify_household(
        "H001", declared={}, kind="new", purpose="dibao", as_of=D, requested_by="窗口", sources=["deposit"],
        by=cast.township,
    )  # fmt: skip
    for person in request.people.all():
        chain.authorise_verification(
            name=person.name, id_number=person.id_number, region_code=request.region_code, purposes=["dibao"],
            sources=["deposit"], signed_on=D, way="paper", signer=person.name,
            evidence=b"%PDF-1.4 " + person.name.encode(), evidence_name="授权书.pdf", by=cast.township,
        )  # fmt: skip
    chain.query_sources(request.number, by=cast.verifier)
    columns = [column.label for column in chain.rules()[0].feeds["deposit"].columns]
    chain.take_reply("deposit", sc.write_csv(tmp_path / "reply.csv", columns, []), as_of=D, by=cast.verifier)
    report = chain.issue_report(request.number, by=cast.verifier)

    assert report.pack_hash == chain.rules()[0].hash
    assert chain.rules()[0].layers == ("reference", "approved")
    assert chain.check_report(report.number, by=cast.auditor).equal
