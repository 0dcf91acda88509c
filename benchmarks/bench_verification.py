"""Claims: one household is verified against all sources from loaded files in well under a blink, rules and audit included;
everybody on a programme is re-checked against twenty sources in one pass in under five minutes, only the changed going to people.

    python -m benchmarks.bench_verification [--persons 1e5] [--households 60] [--parts household recheck]

An office of its own (SQLite, one county's accounts) stands over the population's resolved files, ``--persons`` of them. For each
household the request, authorisations and queries are made beforehand; measured is the gate, the look-ups in every source, the
replies kept sealed, the audit entry (``ask_loaded``), then the pack's rules over them and the comparison with what was declared
(``preview``). The floor in the same run: the same rows read from the same indexes, nothing done with them. Wall milliseconds say
little on a busy machine: processor milliseconds stand beside them.

The re-check has an office in which everybody of the population is on dibao, has signed for twenty sources and has a report; the
files of a second day differ for some. Its peer is going from door to door at the pace of the first claim. Prints one JSON line
for each claim.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measuring import OUT, timed
from benchmarks.population import AS_OF, REFERENCE, population

HOME = OUT / f"verification-office-{os.getpid()}"


def _office() -> None:
    _gone()
    HOME.mkdir(parents=True)
    os.environ["DOUDI_HOME"] = str(HOME)
    os.environ["DJANGO_SETTINGS_MODULE"] = "doudi.house.settings"
    os.environ.pop("DOUDI_DATABASE_URL", None)
    from doudi.cli.shell import open_office

    open_office(quiet=True)


def _gone() -> None:
    """Take the office away; a connection that stands would go on writing to its database."""
    if "DJANGO_SETTINGS_MODULE" in os.environ:
        from django.db import connections

        connections.close_all()
    shutil.rmtree(HOME, ignore_errors=True)


def _hands() -> tuple[Any, Any]:
    """The account that wants a verification, and the one that does it."""
    from doudi.contexts.accounts.services import Role, create_user, system_user

    clerk, verifier = (
        create_user(username=name, password="a-long-enough-password-1", display_name=name, role=role, region_code="",
                    by=system_user())
        for name, role in (("window", Role.COUNTY), ("verifier", Role.VERIFIER))
    )  # fmt: skip
    return clerk, verifier


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
    (folder / "households.parquet").symlink_to(resolved / "register" / "households.parquet")
    everybody = pq.read_table(resolved / "register" / "members.parquet")
    if "birth_on" not in everybody.column_names:
        # the population was resolved before births were kept: without them it would be resolved again from an original
        everybody = everybody.append_column("birth_on", pa.nulls(everybody.num_rows, pa.date32()))
    pq.write_table(everybody, folder / "members.parquet", compression="zstd")
    members = everybody.select(["person_key", "household_key"])
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

    from doudi.contexts.verification import services as verification
    from doudi.engine.packs import load_pack
    from doudi.engine.verification import load_rules

    rules, pack = load_rules(REFERENCE), load_pack(REFERENCE)
    clerk, verifier = _hands()
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
    parser.add_argument(
        "--parts", nargs="+", choices=["household", "recheck"], default=["household", "recheck"]
    )
    options = parser.parse_args()
    resolved = options.resolved or population(round(options.persons)) / "resolved"
    pace = _one_household(resolved, options.households) if "household" in options.parts else None
    if "recheck" in options.parts:
        _recheck(resolved, pace)


def _one_household(resolved: Path, households: int) -> float:
    """Measure the first claim; the processor milliseconds of a household in the middle."""
    warm = 5
    rows = _drawn(resolved, households + warm)
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
    print(json.dumps(answer, ensure_ascii=False), flush=True)
    _gone()
    return _at(measured[1], 0.5)


# ---- everybody -----------------------------------------------------------------------------------------------

TWENTIETH = "dangerous_house"
THEN = AS_OF - timedelta(days=1)
"""The day before: the generated rows have their dates around one day, and what is to differ is the files."""
NEW_CAR, DRIFT, UNSIGNED, UNREPORTED = 0.01, 0.10, 0.01, 0.002
"""Shares of households: with a vehicle more; with a deposit a few yuan larger; with somebody who did not sign; never verified."""


def _recheck(resolved: Path, pace: float | None) -> None:
    _office()
    from doudi.contexts.accounts.services import verify_audit
    from doudi.contexts.verification import services as verification
    from doudi.engine.packs import load_pack
    from doudi.engine.verification import load_rules

    folder = HOME / "pack"
    shutil.copytree(REFERENCE, folder)
    declared = folder / "verification.yaml"
    text = declared.read_text(encoding="utf-8")
    source = f"  - {{码: {TWENTIETH}, 名: 危房, 数据: {TWENTIETH}, 时限: 3, 途径: [快照, 文件]}}\n"
    declared.write_text(text.replace("来源:\n", f"来源:\n{source}", 1), encoding="utf-8")
    rules, pack = load_rules(folder), load_pack(folder)
    clerk, verifier = _hands()
    ways = "".join(f"  {code}: {{way: snapshot}}\n" for code in rules.sources)
    (HOME / "connectors.yaml").write_text(f"sources:\n{ways}", encoding="utf-8")
    households, persons = _everybody(resolved, rules)
    batch = verification.open_whole(
        "dibao", as_of=AS_OF, since=THEN, requested_by="民政局", rules=rules, by=clerk
    )
    outcome, usage = timed(lambda: verification.sweep(batch.number, pack=pack, rules=rules, by=verifier))
    door_to_door = "" if pace is None else f"{pace * households / 3_600_000:.1f} processor h"
    answer = {
        "claim": f"{persons:,} persons of {households:,} households × {len(rules.sources)} sources re-checked in one pass: "
        f"{outcome.counts['unchanged']:,} unchanged on one record, {outcome.counts['unauthorised']:,} not authorised and not looked "
        f"up, {outcome.batch.requests.count():,} requests for people (changed {outcome.counts['changed']:,}, first "
        f"{outcome.counts['first']:,}, not whole {outcome.counts['incomplete']:,}); chain {'whole' if verify_audit().whole else 'BROKEN'}",
        "product": f"{usage.seconds:.0f} s wall, {usage.cpu_seconds:.0f} processor s, {usage.peak_mib} MiB, load {os.getloadavg()[0]:.1f}",
        "peer": f"door to door: {door_to_door}" if door_to_door else "",
        "ratio": "" if pace is None else f"{pace * households / 1000 / max(usage.cpu_seconds, 0.1):.0f}×",
    }  # fmt: skip
    print(json.dumps(answer, ensure_ascii=False), flush=True)
    _gone()


def _everybody(resolved: Path, rules: Any) -> tuple[int, int]:
    """Put everybody of the population on dibao here, with signatures and reports; files of two days. Households and persons."""
    from doudi.contexts.registry.in_force import folder_of_register
    from doudi.contexts.registry.models import FeedLoad, Grading

    homes = pq.read_table(resolved / "register" / "households.parquet")
    members = pq.read_table(resolved / "register" / "members.parquet")
    homes = homes.set_column(
        homes.schema.get_field_index("category"), "category", pa.array(["低保"] * homes.num_rows)
    )
    if "birth_on" not in members.column_names:
        members = members.append_column("birth_on", pa.nulls(members.num_rows, pa.date32()))
    random_bytes = np.random.default_rng(1).bytes(16 * members.num_rows)
    blinds = [random_bytes[16 * place : 16 * place + 16] for place in range(members.num_rows)]

    def loaded(feed: str, day: Any, mark: str) -> FeedLoad:
        return FeedLoad.objects.create(
            feed=feed, as_of=day, source="benchmark", file_name=f"{feed}.parquet", file_hash=f"{mark}{feed:f<63}",
            status=FeedLoad.Status.IN_FORCE, loaded_by="benchmark", counts={"quarantined": 0},
        )  # fmt: skip

    register = loaded("household_register", THEN, "0")
    folder = folder_of_register(register.file_hash)
    folder.mkdir(parents=True)
    pq.write_table(homes, folder / "households.parquet", compression="zstd")
    pq.write_table(members, folder / "members.parquet", compression="zstd")
    keys = members.select(["person_key", "household_key"])
    pq.write_table(keys.append_column("id_blind", pa.array(blinds, pa.binary())), folder / "index.parquet")
    draw = np.random.default_rng(2)
    for source in rules.sources.values():
        for mark, day in (("0", THEN), ("1", AS_OF)):
            load = loaded(source.feed, day, mark)
            Grading.objects.create(
                load=load, register_hash=register.file_hash, grades={"grades": {"A": 1, "B": 0, "C": 0}, "held": []}
            )  # fmt: skip
            path = folder / f"{source.feed}-{load.file_hash[:24]}.parquet"
            table = pq.read_table(resolved / f"{source.feed}.parquet")
            if mark == "1":
                table = _later(table, source.feed, members, draw)
            pq.write_table(table, path, compression="zstd")
    _rows(homes, members, blinds, rules, draw)
    return homes.num_rows, members.num_rows


def _later(table: pa.Table, feed: str, members: pa.Table, draw: np.random.Generator) -> pa.Table:
    """A feed of the second day: some households have a car more, some a few yuan."""
    if feed == "vehicle":
        heads = members.filter(members["is_head"])
        picked = heads.take(pa.array(np.flatnonzero(draw.random(heads.num_rows) < NEW_CAR)))
        car = {"plate": "虚A00001", "vehicle_type": "小型", "use": "非营运", "status": "正常", "row_digest": 7,
               "registered_on": AS_OF - timedelta(days=30)}  # fmt: skip
        more = {
            field.name: picked[field.name] if field.name in ("household_key", "person_key")
            else pa.array([car[field.name]] * picked.num_rows, field.type)
            for field in table.schema
        }  # fmt: skip
        return pa.concat_tables([table, pa.table(more, schema=table.schema)]).sort_by("person_key")
    if feed == "deposit":
        drift = (draw.random(table.num_rows) < DRIFT) * 300
        balance = table["balance"].to_numpy() + drift
        at = table.schema.get_field_index("balance")
        return table.set_column(at, table.schema.field(at), pa.array(balance, table.schema.field(at).type))
    return table


def _rows(
    homes: pa.Table, members: pa.Table, blinds: list[bytes], rules: Any, draw: np.random.Generator
) -> None:
    """The office's own rows, written past Django: a million of each would take it an hour."""
    from django.utils import timezone

    from doudi.contexts.registry.models import Household, Membership, Person
    from doudi.contexts.verification.models import Authorisation, Report, VerificationRequest
    from doudi.house.keyring import keyring

    seal, today = keyring().seal, timezone.localdate()
    now = str(timezone.now().replace(tzinfo=None))
    home_of = members["household_key"].to_numpy()
    first = int(homes["household_key"][0].as_py())
    household = {
        name: homes[name].to_pylist() for name in ("household_no", "region_code", "urban_rural", "persons")
    }
    count, people = homes.num_rows, members.num_rows
    numbers = [_number(place % 12_000) for place in range(people)]
    unsigned = draw.random(people) < UNSIGNED / (people / count)
    unreported = draw.random(count) < UNREPORTED
    scope = json.dumps(list(rules.sources))
    relations, together = members["relation"].to_pylist(), members["living_together"].to_pylist()
    _fill(Household, (
        {"id": place + 1, "household_no": household["household_no"][place], "region_code": household["region_code"][place],
         "responsible_region": household["region_code"][place], "urban_rural": household["urban_rural"][place],
         "category": "低保", "head_name": "", "persons": household["persons"][place], "listed": 1, "remark": ""}
        for place in range(count)
    ))  # fmt: skip
    _fill(Person, (
        {"id": place + 1, "id_blind": blinds[place], "id_number": seal(numbers[place].encode(), purpose="person.id_number"),
         "name": f"户{place}", "sex": "", "phone": b"", "address": b""}
        for place in range(people)
    ))  # fmt: skip
    _fill(Membership, (
        {"id": place + 1, "household_id": int(home_of[place]) - first + 1, "person_id": place + 1,
         "relation": relations[place], "registered": 1, "living_together": int(together[place]), "basis": "",
         "valid_from": str(THEN), "recorded_at": now}
        for place in range(people)
    ))  # fmt: skip
    _fill(Authorisation, (
        {"id": place + 1, "number": f"SQ{place}", "id_blind": blinds[place], "name": f"户{place}", "region_code": "",
         "purposes": '["dibao"]', "sources": scope, "signed_on": str(today), "valid_to": str(today + timedelta(days=300)),
         "way": "paper", "signer": f"户{place}", "guardian_relation": "", "evidence_hash": f"{place:064}",
         "evidence_name": "a.pdf", "collected_by": "window", "collected_at": now, "withdrawn_why": "",
         "withdrawn_at": now if place % 200 == 0 else None}
        for place in range(people) if not unsigned[place]
    ))  # fmt: skip
    reported = [place for place in range(count) if not unreported[place]]
    _fill(VerificationRequest, (
        {"id": place + 1, "number": f"OLD{place}", "kind": "new", "purpose": "dibao",
         "household_no": household["household_no"][place], "region_code": household["region_code"][place],
         "urban_rural": household["urban_rural"][place], "sources": scope, "as_of": str(THEN), "requested_by": "民政局",
         "warning_number": "", "state": "archived", "created_at": now, "created_by": "window", "ended_why": "", "version": 1,
         "sifted": "", "hold_why": "", "held_by": "", "entrusted_by": "", "entrusted_number": ""}
        for place in reported
    ))  # fmt: skip
    _fill(Report, (
        {"id": place + 1, "request_id": place + 1, "number": f"BG{place}", "content": b"", "sha256": "", "sm3": "",
         "pack_hash": "", "advice": "符合", "partial": 0, "issued_on": str(THEN), "valid_to": str(THEN), "issued_by": "verifier",
         "check_code": f"C{place}", "evidence": "[]"}
        for place in reported
    ))  # fmt: skip


def _fill(model: Any, rows: Iterable[dict[str, Any]]) -> None:
    columns = [field.column for field in model._meta.concrete_fields]
    with closing(sqlite3.connect(HOME / "doudi.sqlite3", timeout=60)) as base:
        # an index over random digests has its pages everywhere: they have to fit, or the disk is waited for
        base.execute("PRAGMA cache_size = -600000")
        base.execute("PRAGMA synchronous = OFF")
        base.executemany(
            f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
            ([row.get(column) for column in columns] for row in rows),
        )
        base.commit()


if __name__ == "__main__":
    main()
