"""Claim: a county's roster of 100,000 households is reckoned in under 60 s, the second month with retroactive changes too.

``python -m benchmarks.bench_roster --households 1e5`` makes an office in a scratch folder (SQLite, or the PostgreSQL of
``--database``), fills register and decisions, reckons and freezes a first month, changes one decision in a hundred
retroactively, and reckons the second month. The peer asks the same books household by household, as a clerk's program
does, over a sample, scaled to all.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from datetime import date

import numpy as np

SEED = 20241115
COUNTY = "520102"
FIRST, SECOND = date(2024, 11, 1), date(2024, 12, 1)
_BATCH = 2000
_SAMPLE = 400


def fill(households: int) -> None:
    """Households of one to four people, one in ten 特困, incomes below the standard."""
    from doudi.contexts.assistance.benefit_models import BenefitDecision
    from doudi.contexts.registry.models import Household, Person

    draw = np.random.default_rng(SEED)
    sizes = draw.integers(1, 5, households)
    incomes = draw.integers(0, 60000, households)
    kinds = draw.random(households) < 0.1
    person = 0
    for start in range(0, households, _BATCH):
        homes, people, decisions = [], [], []
        for place in range(start, min(households, start + _BATCH)):
            number, area = f"R{place:06d}", f"{COUNTY}{place % 20 + 1:03d}{place % 200 + 1:03d}"
            homes.append(
                Household(
                    household_no=number,
                    region_code=area,
                    responsible_region=area,
                    urban_rural="农村",
                    head_name="户主",
                    persons=int(sizes[place]),
                )
            )
            mine = []
            for _ in range(int(sizes[place])):
                person += 1
                people.append(
                    Person(
                        pk=person,
                        id_blind=person.to_bytes(16, "big"),
                        id_number="x",
                        name="成员",
                        born_on=None,
                    )
                )
                mine.append(
                    [person, ["elderly"] if person % 5 == 0 else [], person % 7 if kinds[place] else None]
                )
            decisions.append(
                BenefitDecision(
                    number=f"DY{place:07d}",
                    source=f"bench:{place}",
                    kind="grant",
                    benefit="TK" if kinds[place] else "DB",
                    household_no=number,
                    region_code=area,
                    urban_rural="农村",
                    people=json.dumps(mine),
                    per_capita_fen=int(incomes[place]),
                    decided_on=date(2024, 10, 1),
                    decision_no="bench",
                    starts_on=FIRST,
                    recorded_by="bench",
                )
            )
        Household.objects.bulk_create(homes)
        Person.objects.bulk_create(people)
        BenefitDecision.objects.bulk_create(decisions)


def change_some(households: int) -> None:
    """One household in a hundred turns out to have had another income from the first month on."""
    from doudi.contexts.assistance.benefit_models import BenefitDecision

    rows = [
        BenefitDecision(
            number=f"DC{place:07d}",
            source=f"bench:change:{place}",
            kind="change",
            benefit=found.benefit,
            household_no=found.household_no,
            region_code=found.region_code,
            urban_rural="农村",
            people=found.people,
            per_capita_fen=max(0, found.per_capita_fen - 5000),
            decided_on=date(2024, 11, 20),
            decision_no="bench",
            starts_on=FIRST,
            recorded_by="bench",
        )
        for place, found in enumerate(BenefitDecision.objects.filter(pk__in=range(1, households, 100)))
    ]
    BenefitDecision.objects.bulk_create(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--households", type=float, default=1e5)
    parser.add_argument(
        "--database", default="", help="postgres://… of an empty scratch database; default SQLite"
    )
    asked = parser.parse_args()
    households = int(asked.households)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DOUDI_HOME"] = folder
        if asked.database:
            os.environ["DOUDI_DATABASE_URL"] = asked.database
        from doudi.cli.shell import open_office

        open_office(quiet=True)
        from django.db import transaction

        from doudi import chain
        from doudi.contexts.accounts.services import Role, system_user
        from doudi.contexts.assistance import payroll
        from doudi.contexts.assistance.entitlement import Books

        by = system_user()
        checker = system_user()
        checker.username, checker.role = "checker", Role.DIRECTOR
        with transaction.atomic():
            fill(households)
        took = {}
        for name, month in (("first_month", FIRST), ("second_month", SECOND)):
            began = time.perf_counter()
            roster = chain.compute_roster(region_code=COUNTY, month=month, by=by)
            took[name] = round(time.perf_counter() - began, 1)
            if month == FIRST:
                began = time.perf_counter()
                payroll.freeze_roster(roster.number, note="", by=checker)
                took["freeze"] = round(time.perf_counter() - began, 1)
                with transaction.atomic():
                    change_some(households)
        rules, numbers = chain.benefit_rules(), chain.numbers()
        began = time.perf_counter()
        for place in range(_SAMPLE):
            number = f"R{place * (households // _SAMPLE):06d}"
            books = Books.read(COUNTY, rules, numbers, number)
            list(books.due_in(number, FIRST, explain=True))
            list(books.due_in(number, SECOND, explain=True))
        peer = (time.perf_counter() - began) * households / _SAMPLE
        print(
            json.dumps(
                {
                    "claim": f"roster of {households:,} households reckoned",
                    "command": f"python -m benchmarks.bench_roster --households {asked.households:g}",
                    "product": f"first month {took['first_month']} s, with 1 % retroactive changes "
                    f"{took['second_month']} s, freezing {took['freeze']} s, rows {roster.rows_count:,}, "
                    f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB",
                    "peer": f"household by household {peer:.0f} s (from {_SAMPLE})",
                    "ratio": f"{peer / took['second_month']:.1f}×",
                },
                ensure_ascii=False,
            )
        )


if __name__ == "__main__":
    main()
