"""Small offices, each just before a long job: how it came there, and what the clerk or the machine then runs.

A step is a command of the command line, or a function that does what the workbench's button does, or that gives the
command when its number is known only then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.small_county import AS_OF

Step = list[str] | Callable[[], list[str] | None]
"""Run as it is written; a function may act by itself and give None."""
DAY = date.fromisoformat(AS_OF)
LATER = date(2024, 12, 31)


@dataclass(frozen=True)
class Place:
    """Where an office works: its own folder (state, and where it puts backups), the files given to it, who listens."""

    folder: Path
    files: Path
    listener: str = ""

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def kept(self) -> Path:
        return self.folder / "kept"


@dataclass(frozen=True)
class Office:
    """What stands before the job, the job, and how long somebody waits before it is run again."""

    run: Callable[[Place], list[Step]]
    prepare: Callable[[Place], None] = lambda _place: None
    upon: str = "county"
    """Which of the ``GROUNDS`` it is prepared upon."""
    wait: timedelta = timedelta(0)
    day_counts: bool = False
    """Whether the day itself counts (limits that begin to run, who is due, how long somebody has waited): a day forward or
    back rightly gives something else, so the clock of such a job jumps an hour."""


def county(place: Place) -> None:
    """The small county with its cast, loaded and screened."""
    from doudi import chain
    from doudi.contexts.accounts.services import system_user
    from tests.cast import assemble
    from tests.small_county import write_county

    chain.take_in_folder(write_county(place.files / "county"), as_of=DAY, by=system_user())
    chain.screen(as_of=DAY, by=system_user())
    assemble()


def _cast() -> Any:
    from doudi.contexts.accounts.services import account
    from tests.cast import Cast

    return Cast(**{part.name: account(part.name) for part in fields(Cast)})


# ---- files and screens ----------------------------------------------------------------------------------------------


def _load_and_screen(place: Place) -> list[Step]:
    from tests.small_county import write_county

    files = write_county(place.files / "fresh")
    return [["feed", "load", "--dir", str(files), "--as-of", AS_OF], ["screen", "--as-of", AS_OF]]


def _one_more_file(place: Place) -> list[Step]:
    from tests.small_county import MEDICAL, MEDICAL_HEADER, ZHAO_MIN, write_csv

    more = [*MEDICAL, ["赵敏", ZHAO_MIN, "2024-07-01", "90000", "45000", "是"]]
    file = write_csv(place.files / "later" / "医疗结算.csv", MEDICAL_HEADER, more)
    return [["feed", "load", "medical", str(file), "--as-of", AS_OF], ["screen", "--as-of", AS_OF]]


def _paid_after_death(place: Place) -> None:
    from doudi import chain
    from doudi.contexts.accounts.services import system_user
    from tests.small_county import ZHANG_WEI, ZHAO_GUO, write_csv

    header = ["姓名", "身份证号", "救助项目", "金额", "发放日期"]
    rows = [["赵国", ZHAO_GUO, "低保金", "452.30", f"2024-{month}-10"] for month in ("09", "10", "11", "12")]
    rows += [
        ["张伟", ZHANG_WEI, "低保金", "500", "2024-08-05"],
        ["张伟", ZHANG_WEI, "特困供养", "800", "2024-08-06"],
    ]
    path = write_csv(place.files / "paid" / "救助发放.csv", header, rows)
    chain.take_in_file(None, path, as_of=LATER, by=system_user())


# ---- keys and backups ------------------------------------------------------------------------------------------------


def _sealed_papers(place: Place) -> None:
    from doudi.house.attachments import keep_attachment, keep_single
    from doudi.house.sealed_files import seal_file

    keep_attachment(b"\x89PNG\r\n\x1a\n picture")
    keep_single(b"photo", purpose="field.file")
    plain = place.files / "plain"
    plain.write_bytes(b"x" * 1_200_000)
    (place.home / "exports").mkdir(exist_ok=True)
    seal_file(plain, place.home / "exports" / "DC-1.sealed", purpose="export:DC-1")


def _backup_key(place: Place) -> None:
    from doudi.house.backup.unlocking import KeyGiven, ready_key

    place.kept.mkdir()
    ready_key(KeyGiven(key_file=place.folder / "backup.key"))


def _back_up(place: Place) -> list[Step]:
    return [["backup", str(place.kept), "--key-file", str(place.folder / "backup.key")]]


# ---- duplicates, needs -----------------------------------------------------------------------------------------------


def _entered_twice(_place: Place) -> None:
    from doudi.contexts.registry.models import Person
    from tests.contexts.test_people_who_stand_twice import TWIN_OF_ZHANG, enter_again
    from tests.small_county import make_id

    old = Person.objects.get(name="张伟")
    enter_again(old, id_number=TWIN_OF_ZHANG, name="张玮", born_on=old.born_on.replace(year=1981))
    other = Person.objects.get(name="王强")
    enter_again(
        other, id_number=make_id("19760303", 33), name="王强", born_on=other.born_on.replace(year=1976)
    )


def _needs_and_a_project(_place: Place) -> None:
    import pytest

    from doudi.contexts.charity import services as charity
    from tests.linked_county import STORY, TEXT, bodies, small_cells

    with pytest.MonkeyPatch.context() as patch:
        small_cells(patch)
        from django.utils import timezone

        from doudi import chain

        cast = _cast()
        bodies(cast)
        for number, tier in (("H001", 2), ("H002", 1)):
            need = chain.raise_need(
                number, need_fen=20_000_00, kind="MEDICAL", group="ILL", tier=tier, origin="window", story=STORY,
                by=cast.township,
            )  # fmt: skip
            chain.give_consent(
                need.code, kind="publish", given="paper", signer="本人", given_on=timezone.localdate(),
                evidence=b"%PDF-1.4 signed", by=cast.township,
            )  # fmt: skip
            chain.publish_need(need.code, public_text=TEXT, by=cast.county)
        charity.open_project(
            name="大病补充", kinds=["MEDICAL"], regions=["520102"], budget_fen=100_000_00, starts_on=date(2024, 1, 1),
            by=cast.charity,
        )  # fmt: skip


def _match() -> None:
    from doudi import chain

    chain.propose_matches(by=_cast().county)


# ---- rosters, services, meals ----------------------------------------------------------------------------------------


def _decisions(_place: Place) -> None:
    from tests.payday import open_office

    pay = open_office(_cast())
    for number in ("H001", "H003"):
        pay.decide(number)
    pay.accounts(("H001", "H003"))


def _freeze() -> None:
    """The checker's button; who finds the month frozen already has nothing to press."""
    from doudi.contexts.assistance import payroll

    roster = payroll.Roster.objects.get(status__in=("computed", "frozen"))
    if roster.status == "computed":
        payroll.freeze_roster(roster.number, note="核对无误", by=_cast().director)


def _reckon() -> list[str] | None:
    """A clerk looks first: a month that is frozen is not reckoned again."""
    from doudi.contexts.assistance import payroll

    there = payroll.Roster.objects.filter(status__in=("computed", "frozen")).exists()
    return None if there else ["roster", "compute", "--region", "520102", "--month", "2024-11"]


def _eaten(_place: Place) -> None:
    from datetime import datetime, time
    from uuid import uuid4

    from django.utils import timezone

    from doudi import chain
    from doudi.contexts.meals import services as meals
    from tests.a_meal_place import enrol, open_canteen

    cast = _cast()
    kitchen = open_canteen(cast, operator="褚氏餐饮", operator_account="褚氏餐饮 6222")
    last = timezone.localdate().replace(day=1) - timedelta(days=1)
    for serial in (101, 103, 105):
        person = enrol(cast, kitchen, serial=serial)
        tap = meals.Tap(uuid4(), person.code, "lunch", timezone.now(), list_fen=2000, offline=True)
        given = chain.serve_meal(kitchen.code, tap, by=cast.canteen)
        at = timezone.make_aware(datetime.combine(last, time(11, serial % 60)))
        meals.MealServed.objects.filter(pk=given.serving.pk).update(day=last, at=at)


def _settle_meals() -> None:
    from django.utils import timezone

    from doudi import chain
    from doudi.contexts.meals import services as meals

    cast = _cast()
    [kitchen] = meals.Site.objects.all()
    last = timezone.localdate().replace(day=1) - timedelta(days=1)
    made = meals.make_settlement(kitchen, month=f"{last:%Y-%m}", rules=chain.meal_network(), by=cast.county)
    if made.state == "made":
        meals.check_settlement(made.number, by=cast.director)


def _care_given(_place: Place) -> None:
    from django.utils import timezone

    from doudi.contexts.charity import services as charity
    from tests.cast import CHARITY
    from tests.contexts.test_a_service_to_its_settlement import Desk
    from tests.payday import COUNTY, open_office

    pay = open_office(_cast())
    charity.register_organisation(
        code=CHARITY, name="虚构慈善会", kind="charity", region_code=COUNTY, registered_on=date(2020, 1, 1),
        by=pay.cast.county,
    )  # fmt: skip
    today = timezone.localdate()
    desk = Desk(pay, (today.replace(day=1) - timedelta(days=1)).replace(day=1))
    order = desk.given()
    for day in (3, 10):
        desk.visit(order, day)


def _settle_care(_place: Place) -> list[Step]:
    from django.utils import timezone

    from tests.cast import CHARITY

    last = timezone.localdate().replace(day=1) - timedelta(days=1)
    return [["care", "settle", "--region", "520102", "--provider", CHARITY, "--month", f"{last:%Y-%m}"]]


# ---- verification ----------------------------------------------------------------------------------------------------


def _verified_in_june(place: Place) -> None:
    from tests.cast import assemble
    from tests.contexts.verification import test_everybody_in_one_pass as june

    june.HOUSEHOLDS = 3
    june.verify_in_june(assemble(), 1, place.files / "june")


def _recheck(*more: str) -> list[str]:
    return ["verify", "recheck", "dibao", "--as-of", AS_OF, "--for", "县民政局", "--as", "county", *more]


def _sift() -> list[str]:
    """Of the batch that has work: begun again after it was opened, a re-check finds everybody asked already."""
    from doudi.contexts.verification.models import RequestBatch

    batch = RequestBatch.objects.filter(whole=True).first() or RequestBatch.objects.get(opened__gt=0)
    return ["verify", "sift", batch.number, "--as", "verifier"]


def _ask_what_is_open() -> None:
    """The worker's share of it."""
    from doudi.chain import verifying

    verifying.ask_connected_sources()


def _workbook(place: Place) -> list[Step]:
    from tests.small_county import write_csv

    file = write_csv(place.files / "批量.csv", ["户编号", "用途"], [["H001", "dibao"], ["H002", "rigid"], ["H003", "dibao"]])  # fmt: skip
    marked = str(place.folder / "marked.xlsx")
    return [["verify", "batch", str(file), "--for", "县民政局", "--as", "county", "--marked", marked]]


# ---- the worker ------------------------------------------------------------------------------------------------------


def _work_waiting(place: Place) -> None:
    """Notices to urge, messages for the gateway, events for a department's system, a pass that somebody asked for."""
    from doudi import chain
    from doudi.contexts.monitoring import services as monitoring
    from tests.cast import DEPARTMENT
    from tests.contexts.test_events_for_departments import pushed
    from tests.small_county import TOWNSHIP_A

    cast = _cast()
    chain.subscribe_webhook(
        department=DEPARTMENT, url=f"{place.listener}/hook", types=["cn.doudi.referral.sent"],
        algorithm="HMAC-SHA256", by=cast.county,
    )  # fmt: skip
    for number in range(3):
        pushed(cast, number)
    number = monitoring.household_warnings("H002", by=cast.county).first().number
    chain.dispatch(number, to=TOWNSHIP_A, by=cast.county)


def _jobs(_place: Place) -> list[Step]:
    return [["worker", "--once"]]


# ---- the table -------------------------------------------------------------------------------------------------------


GROUNDS: dict[str, Callable[[Place], None]] = {
    "nothing": lambda _place: None,
    "county": county,
    "june": _verified_in_june,
}

OFFICES: dict[str, Office] = {
    "load and screen": Office(_load_and_screen, upon="nothing", day_counts=True),
    "one more file and a screen": Office(_one_more_file, day_counts=True),
    "doubts": Office(lambda _place: [["doubts", "find", "--as-of", str(LATER)]], _paid_after_death),
    # a backup is named by its second
    "backup": Office(_back_up, _backup_key, wait=timedelta(minutes=1)),
    "keys": Office(lambda _place: [["keys", "rotate"]], _sealed_papers),
    "duplicates": Office(lambda _place: [["registry", "duplicates", "find"]], _entered_twice),
    "matching": Office(lambda _place: [_match], _needs_and_a_project, day_counts=True),
    "roster": Office(lambda _place: [_reckon, _freeze], _decisions),
    "meals settled": Office(lambda _place: [_settle_meals], _eaten, day_counts=True),
    "care settled": Office(_settle_care, _care_given),
    "workbook of requests": Office(_workbook),
    # what was being asked when the verifier's process died is asked by the worker, once its claim has run out
    "re-check": Office(
        lambda _place: [_recheck(), _sift, _ask_what_is_open, _sift],
        upon="june",
        wait=timedelta(minutes=30),
        day_counts=True,
    ),
    "re-check of everybody": Office(
        lambda _place: [_recheck("--whole", "--since", "2024-06-15"), _sift], upon="june", day_counts=True
    ),
    "worker": Office(_jobs, _work_waiting, wait=timedelta(minutes=6), day_counts=True),
}
"""By the name of its job."""
