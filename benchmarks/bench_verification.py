"""Claim: one household is verified against all sources from loaded files in well under a blink, rules and audit included.

    python -m benchmarks.bench_verification [--persons 1e5] [--households 60]

An office of its own (SQLite, one county's accounts) stands over the population's resolved files, ``--persons`` of them. For each
household the request, authorisations and queries are made beforehand; measured is the gate, the look-ups in every source, the
replies kept sealed, the audit entry (``ask_loaded``), then the pack's rules over them and the comparison with what was declared
(``preview``). The floor in the same run: the same rows read from the same indexes, nothing done with them. Wall milliseconds say
little on a busy machine: processor milliseconds stand beside them. Prints one JSON line for each claim.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measuring import OUT, timed
from benchmarks.population import AS_OF, REFERENCE, population

HOME = OUT / f"verification-office-{os.getpid()}"


def _office() -> None:
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    os.environ["DOUDI_HOME"] = str(HOME)
    os.environ["DJANGO_SETTINGS_MODULE"] = "doudi.house.settings"
    os.environ.pop("DOUDI_DATABASE_URL", None)
    from doudi.cli.shell import open_office

    open_office(quiet=True)


def _load(resolved: Path, sources: list[str], known: dict[int, bytes]) -> Path:
    """Put the population's files in force here; ``known`` are the digests of the people whom the benchmark asks about."""
    from doudi.contexts.registry.in_force import folder_of_register
    from doudi.contexts.registry.models import FeedLoad, Grading

    def loaded(feed: str) -> FeedLoad:
        return FeedLoad.objects.create(
            feed=feed, as_of=AS_OF, source="benchmark", file_name=f"{feed}.parquet", file_hash=f"{feed:f<64}",
            status=FeedLoad.Status.IN_FORCE, loaded_by="benchmark", counts={"quarantined": 0},
        )  # fmt: skip

    register = loaded("household_register")
    folder = folder_of_register(register.file_hash)
    folder.mkdir(parents=True)
    for name in ("members", "households"):
        (folder / f"{name}.parquet").symlink_to(resolved / "register" / f"{name}.parquet")
    members = pq.read_table(
        resolved / "register" / "members.parquet", columns=["person_key", "household_key"]
    )
    digests = np.random.default_rng(1).bytes(32 * members.num_rows)
    blinds = [digests[32 * place : 32 * place + 32] for place in range(members.num_rows)]
    for place, key in enumerate(members["person_key"].to_numpy()):
        if int(key) in known:
            blinds[place] = known[int(key)]
    index = members.append_column("id_blind", pa.array(blinds, pa.binary()))
    pq.write_table(index, folder / "index.parquet", compression="zstd")
    for feed in sources:
        load = loaded(feed)
        Grading.objects.create(
            load=load,
            register_hash=register.file_hash,
            grades={"grades": {"A": 1, "B": 0, "C": 0}, "held": []},
        )
        (folder / f"{feed}-{load.file_hash[:24]}.parquet").symlink_to(resolved / f"{feed}.parquet")
    return folder


def _drawn(resolved: Path, households: int) -> list[dict[str, Any]]:
    """Households drawn by chance: keys of their people, region, and identity numbers made for this run."""
    facts = pq.read_table(
        resolved / "register" / "households.parquet",
        columns=["household_key", "region_code", "urban_rural", "category"],
    )
    places = sorted(random.Random(7).sample(range(facts.num_rows), households))
    rows = facts.take(pa.array(places)).to_pylist()
    wanted = {row["household_key"]: row for row in rows}
    members = pq.read_table(
        resolved / "register" / "members.parquet",
        columns=["household_key", "person_key", "relation", "living_together"],
        filters=[("household_key", "in", list(wanted))],
    )
    for serial, member in enumerate(members.to_pylist(), 1):
        own = wanted[member["household_key"]].setdefault("people", [])
        own.append({**member, "id_number": _number(serial), "name": f"户{serial}"})
    return rows


def _number(serial: int) -> str:
    body = f"5299001970{serial // 1000 % 12 + 1:02}01{serial % 1000:03}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(c) * w for c, w in zip(body, weights, strict=True)) % 11]


def _asked(rows: list[dict[str, Any]]) -> tuple[list[str], Any, Any, Any]:
    """The requests, asked of every source, with what the verifier needs."""
    from django.utils import timezone

    from doudi.contexts.accounts.services import Role, create_user, system_user
    from doudi.contexts.verification import services as verification
    from doudi.engine.packs import load_pack
    from doudi.engine.verification import load_rules

    rules, pack = load_rules(REFERENCE), load_pack(REFERENCE)
    clerk, verifier = (
        create_user(username=name, password="a-long-enough-password-1", display_name=name, role=role, region_code="",
                    by=system_user())
        for name, role in (("window", Role.COUNTY), ("verifier", Role.VERIFIER))
    )  # fmt: skip
    ways = "".join(f"  {code}: {{way: snapshot}}\n" for code in rules.sources)
    (HOME / "connectors.yaml").write_text(f"sources:\n{ways}", encoding="utf-8")
    numbers = []
    for row in rows:
        people = [
            verification.PersonAsked(
                one["name"], one["id_number"], one["relation"], living_together=one["living_together"] or place == 0,
                declared={"工资": 12_000_00, "存款": 3_000_00} if place == 0 else None,
            )
            for place, one in enumerate(row["people"])
        ]  # fmt: skip
        request = verification.open_request(
            rules, kind="periodic", purpose="dibao", people=people, region_code=row["region_code"],
            urban_rural=row["urban_rural"], as_of=AS_OF, requested_by="民政局", by=clerk,
        )  # fmt: skip
        verification.accept_request(request.number, rules=rules, by=clerk)
        for one in row["people"]:
            verification.authorise(
                rules, name=one["name"], id_number=one["id_number"], region_code=row["region_code"], purposes=["dibao"],
                sources=list(rules.sources), signed_on=timezone.localdate(), way="paper", signer=one["name"],
                evidence=b"%PDF-1.4 " + one["id_number"].encode(), evidence_name="a.pdf", by=clerk,
            )  # fmt: skip
        verification.start_queries(request.number, rules=rules, by=verifier)
        numbers.append(request.number)
    return numbers, rules, pack, verifier


def _each(work: list[Callable[[], Any]]) -> tuple[list[float], list[float]]:
    """Wall and processor milliseconds of each."""
    wall, cpu = [], []
    for one in work:
        began, spent = time.perf_counter(), time.process_time()
        one()
        wall.append((time.perf_counter() - began) * 1000)
        cpu.append((time.process_time() - spent) * 1000)
    return wall, cpu


def _at(values: list[float], share: float) -> float:
    return round(sorted(values)[min(len(values) - 1, int(len(values) * share))], 1)


def _said(wall: list[float], cpu: list[float]) -> str:
    return f"p50 {_at(wall, 0.5)} ms, p99 {_at(wall, 0.99)} ms wall; p50 {_at(cpu, 0.5)} ms, p99 {_at(cpu, 0.99)} ms of processor"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--persons", type=float, default=1e5)
    parser.add_argument("--households", type=int, default=60)
    parser.add_argument("--resolved", type=Path, help="a population's resolved folder that stands already")
    options = parser.parse_args()
    resolved = options.resolved or population(round(options.persons)) / "resolved"
    warm = 5
    rows = _drawn(resolved, options.households + warm)
    _office()
    from doudi.contexts.accounts.services import verify_audit
    from doudi.contexts.registry.services import ID_PURPOSE
    from doudi.contexts.verification import services as verification
    from doudi.contexts.verification.models import Reply
    from doudi.engine.feeds import lookup
    from doudi.engine.verification import load_rules
    from doudi.house.keyring import keyring

    feeds = [source.feed for source in load_rules(REFERENCE).sources.values()]
    known = {
        one["person_key"]: keyring().digest(one["id_number"], purpose=ID_PURPOSE)
        for row in rows
        for one in row["people"]
    }
    folder = _load(resolved, feeds, known)
    paths = [next(folder.glob(f"{feed}-*.parquet")) for feed in feeds]

    def build() -> None:
        lookup.build_people(folder)
        for path in paths:
            lookup.build_rows(path)

    _, building = timed(build)
    numbers, rules, pack, verifier = _asked(rows)

    def verify(number: str) -> None:
        verification.ask_loaded(number, rules=rules, specs=pack.feeds, by=verifier)
        verification.preview(number, pack=pack, rules=rules, by=verifier)

    def look_up(row: dict[str, Any]) -> None:
        places = lookup.people_in(folder, [known[one["person_key"]] for one in row["people"]])
        for path in paths:
            lookup.raw_rows(path, [key for _blind, key in places])

    for number, row in zip(numbers[:warm], rows[:warm], strict=True):
        verify(number)
        look_up(row)
    measured = _each([lambda number=number: verify(number) for number in numbers[warm:]])  # type: ignore[misc]
    floor = _each([lambda row=row: look_up(row) for row in rows[warm:]])  # type: ignore[misc]
    persons = pq.read_metadata(resolved / "register" / "members.parquet").num_rows
    replies = Reply.objects.count()
    assert replies == sum(len(row["people"]) for row in rows) * len(feeds), replies
    answer = {
        "claim": f"{persons:,} persons, {len(numbers) - warm} households × {len(feeds)} sources, each with its rules, comparison, "
        f"sealed replies and audit (chain {'whole' if verify_audit().whole else 'BROKEN'}); indexes made in "
        f"{building.seconds:.0f} s, {building.cpu_seconds:.0f} processor s",
        "product": _said(*measured),
        "peer": f"raw indexed look-ups {_said(*floor)}",
        "ratio": f"{_at(measured[1], 0.5) / max(_at(floor[1], 0.5), 0.1):.0f}× the look-ups in processor ms",
    }
    print(json.dumps(answer, ensure_ascii=False))
    shutil.rmtree(HOME, ignore_errors=True)


if __name__ == "__main__":
    main()
