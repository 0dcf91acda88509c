"""A department file that was sent half: refused or its torn row set aside in plain words, and the whole file then counts alone."""

from __future__ import annotations

import hashlib
import io
import random
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.db import transaction

from doudi import chain
from doudi.contexts.accounts.services import system_user, verify_audit
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.models import FeedLoad, Household, Membership, Person
from doudi.engine.errors import DoudiError
from tests.small_county import AS_OF, MEDICAL, MEDICAL_HEADER, REGISTER, REGISTER_HEADER, make_id, write_csv

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
DAY = date.fromisoformat(AS_OF)
PAID = [
    *MEDICAL,
    *[["王强", MEDICAL[0][1], f"2024-07-{day:02d}", "60000", f"{30000 + day}", "否"] for day in range(1, 20)],
]
PEOPLE = [
    *REGISTER,
    *[
        [
            f"周{place}",
            make_id("19600101", place),
            f"N{place}",
            "户主",
            REGISTER[0][4],
            "城镇",
            "是",
            "",
            "",
            "",
            "",
            "虚构路",
        ]
        for place in range(101, 121)
    ],
]
FEEDS = {"household_register": (REGISTER_HEADER, PEOPLE), "medical": (MEDICAL_HEADER, PAID)}


def as_csv(header: list[str], rows: list[list[str]], code: str = "utf-8") -> bytes:
    return "".join(",".join(row) + "\r\n" for row in [header, *rows]).encode(code)


def as_workbook(header: list[str], rows: list[list[str]]) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in [header, *rows]:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


KINDS: dict[str, tuple[str, Callable[..., bytes]]] = {
    "csv": (".csv", as_csv),
    "csv of GB18030": (".csv", lambda header, rows: as_csv(header, rows, "gb18030")),
    "workbook": (".xlsx", as_workbook),
}


def counted(feed: str, content: bytes) -> dict[str, Any]:
    """What counts now, whatever was loaded before; of a feed of events the good rows of the half stand too, each once."""
    digest = hashlib.sha256(content).hexdigest()
    loads = FeedLoad.objects.filter(status="in_force", feed=feed, file_hash=digest)
    run = chain.screen(as_of=DAY, by=system_user())
    assert verify_audit().whole
    return {
        "loads": [(load.file_hash, registry.counts_of(load)) for load in loads],
        "people": sorted(Person.objects.filter(memberships__retracted_at=None).values_list("name", "born_on").distinct()),
        "households": sorted(Household.objects.filter(listed=True).values_list("household_no", "persons", "category")),
        "memberships": sorted(
            Membership.objects.filter(retracted_at=None).values_list("household__household_no", "person__name", "valid_from", "valid_to"),
            key=str,
        ),
        "result": run.result_hash,
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("feed", FEEDS)
def test_half_a_file_is_told_and_the_whole_one_counts_alone(
    feed: str, kind: str, office: Path, tmp_path: Path, request: pytest.FixtureRequest, record_property: Any
) -> None:
    dice, rounds = random.Random(f"{feed}{kind}"), request.config.getoption("--rounds")
    ending, written = KINDS[kind]
    header, rows = FEEDS[feed]
    whole = tmp_path / f"whole{ending}"
    whole.write_bytes(written(header, rows))
    content = whole.read_bytes()
    if feed != "household_register":
        register = write_csv(tmp_path / "register.csv", REGISTER_HEADER, REGISTER)
        chain.take_in_file("household_register", register, as_of=DAY, by=system_user())
    shutil.copytree(office, tmp_path / "kept")

    def round_of(cut: bytes | None) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        shutil.rmtree(office)
        shutil.copytree(tmp_path / "kept", office)
        with transaction.atomic():
            told = None
            if cut is not None:
                half = tmp_path / f"half{ending}"
                half.write_bytes(cut)
                try:
                    told = chain.take_in_file(feed, half, as_of=DAY, by=system_user()).counts
                except DoudiError as problem:
                    assert problem.zh and problem.en and "Traceback" not in problem.zh
            chain.take_in_file(feed, whole, as_of=DAY, by=system_user())
            state = counted(feed, content)
            transaction.set_rollback(True)
        return told, state

    _told, expected = round_of(None)
    for number in range(rounds):
        place = 1 + int((number + dice.random()) / rounds * (len(content) - 2))
        told, got = round_of(content[:place])
        assert got == expected, f"cut at {place} of {len(content)}"
        if kind.startswith("csv") and told is not None:
            lines = content[:place].count(b"\n") - 1
            assert told["good"] + told["quarantined"] + told["duplicates"] <= lines + 1
    record_property("rounds", rounds)


@pytest.mark.parametrize("code", ["utf-8", "gb18030"])
def test_a_row_torn_off_before_its_last_cell_is_set_aside(code: str, office: Path, tmp_path: Path) -> None:
    """60,000 yuan of cost and 30,000 of it own: cut after ``30`` the row would say thirty yuan."""
    whole = as_csv(MEDICAL_HEADER, MEDICAL, code)
    file = tmp_path / "医疗结算.csv"
    file.write_bytes(whole[: whole.rindex(b"30000") + 2])

    outcome = chain.take_in_file("medical", file, as_of=DAY, by=system_user())

    assert (outcome.counts["good"], outcome.counts["quarantined"]) == (0, 1)
