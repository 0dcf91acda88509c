"""Claim: in a register of 5 million persons on PostgreSQL a clerk's search answers in under 200 ms.

``python -m benchmarks.bench_lists --persons 5e6`` makes a scratch database beside the one of ``--server``, fills it by
COPY with a province of 100 counties (drawn with a seed, realistic surname frequency), asks the product's own
``registry.find`` as a township, a county and a province account, and drops the database. *first* is a search that was
not asked before, its pages mostly outside PostgreSQL's own buffers; *again* is the same search a second time. The peer
is the plain condition ``name LIKE '%…%'`` over the same rows.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import numpy as np
import psycopg

SEED = 20241115
COUNTIES, TOWNS, VILLAGES = 100, 20, 10
_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢"
    "姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严欧莫孔向"
    "常汤单仇解查"
)
_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂英玉秀华文建国志红梅春花小海燕云龙凤翠莲林玲辉鹏飞雪荣珍"
    "忠义成德福贵祥瑞永庆光东南西北山水木火土金银铜铁学友亮波宁琴萍慧婷婉倩佳怡欣悦思雨晨曦子涵浩宇轩梓"
)
_SCRIPT = (
    "name",
    "name_part",
    "initials",
    "pinyin",
    "id_tail",
    "id_tail6",
    "phone",
    "phone_tail",
    "household",
)


def names(count: int, draw: np.random.Generator) -> list[str]:
    """Distinct names; a surname's share falls with its rank, as in the census."""
    weights = 1 / (np.arange(len(_SURNAMES)) + 4.0)
    first = draw.choice(len(_SURNAMES), count * 2, p=weights / weights.sum())
    second, third = draw.integers(len(_GIVEN), size=(2, count * 2))
    short = draw.random(count * 2) < 0.2
    made = (
        _SURNAMES[f] + _GIVEN[s] + ("" if one else _GIVEN[t])
        for f, s, t, one in zip(first, second, third, short, strict=True)
    )
    return list(dict.fromkeys(made))[:count]


def copy(cursor: Any, table: str, columns: str, rows: Iterator[str]) -> None:
    with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as out:
        block = io.StringIO()
        for number, row in enumerate(rows, 1):
            block.write(row)
            if number % 20_000 == 0:
                out.write(block.getvalue())
                block = io.StringIO()
        out.write(block.getvalue())


def fill(persons: int) -> dict[str, Any]:
    """Fill the scratch database that Django is connected to."""
    from django.db import connection

    from doudi.contexts.registry import finding
    from doudi.house.keyring import keyring

    draw = np.random.default_rng(SEED)
    ring, began = keyring(), time.monotonic()
    pool = names(min(400_000, max(2_000, persons // 10)), draw)
    sealed = {
        field: "\\\\x" + ring.seal(text, purpose=f"person.{field}").hex()
        for field, text in (
            ("id_number", b"529900198001010119"),
            ("phone", b"10012345678"),
            ("address", b"x"),
        )
    }
    households = persons // 3
    village = np.sort(draw.integers(COUNTIES * TOWNS * VILLAGES, size=households))
    regions = [
        f"52{county + 1:04d}{town + 1:03d}{place + 1:03d}"
        for county in range(COUNTIES)
        for town in range(TOWNS)
        for place in range(VILLAGES)
    ]
    name_of = draw.integers(len(pool), size=persons)
    day, serial = draw.integers(1, 32, size=persons), draw.integers(11_000, size=persons)
    has_phone, phone = draw.random(persons) < 0.6, draw.integers(3 * 10**9, 9 * 10**9, size=persons)
    ends = [f"{number:04d}" for number in range(10_000)] + [f"{number:03d}X" for number in range(1000)]

    def term(kind: finding.Kind, text: str) -> str:
        return "\\\\x" + finding._exact(kind, text).low.hex()

    with connection.cursor() as django_cursor:
        cursor = django_cursor.cursor
        cursor.execute(
            "set maintenance_work_mem = '1GB'; set work_mem = '256MB'; set synchronous_commit = off"
        )
        cursor.execute(
            "select tablename, indexname, indexdef from pg_indexes where schemaname = 'public' and tablename in"
            " ('registry_person', 'registry_household', 'registry_membership', 'registry_searchterm')"
            " and indexdef not like '%UNIQUE%'"
        )
        indexes = cursor.fetchall()
        for _table, index, _definition in indexes:
            cursor.execute(f'drop index "{index}"')
        cursor.execute(
            "insert into registry_feedload (feed, as_of, source, file_name, file_hash, status, problem, problem_en,"
            " counts, loaded_at, loaded_by) values ('household_register', '2024-11-15', '', 'x', 'x', 'in_force', '',"
            " '', '{}', now(), 'bench') returning id"
        )
        load = cursor.fetchone()[0]
        copy(
            cursor,
            "registry_household",
            "id, household_no, region_code, responsible_region, urban_rural, category, head_name, persons, listed,"
            " register_date, remark",
            (
                f"{key + 1}\t{regions[where][:6]}{key:08d}\t{regions[where]}\t{regions[where]}\t农村\t低保\t"
                f"{pool[name_of[3 * key]]}\t3\tt\t2024-11-15\t\n"
                for key, where in enumerate(village)
            ),
        )
        copy(
            cursor,
            "registry_person",
            "id, id_blind, id_number, name, sex, born_on, phone, address",
            (
                f"{key + 1}\t\\\\x{key:032x}\t{sealed['id_number']}\t{pool[name]}\t男\t1980-01-01\t{sealed['phone']}\t"
                f"{sealed['address']}\n"
                for key, name in enumerate(name_of)
            ),
        )
        cursor.execute(
            "create unlogged table staged (person bigint, household bigint, region text, name int, day int, serial int,"
            " phone bytea, phone_end int); create unlogged table name_terms (name int, term bytea);"
            " create unlogged table end4 (serial int, term bytea); create unlogged table end6 (day int, serial int,"
            " term bytea); create unlogged table phone4 (phone_end int, term bytea)"
        )
        copy(
            cursor,
            "staged",
            "person, household, region, name, day, serial, phone, phone_end",
            (
                f"{key + 1}\t{key // 3 + 1}\t{regions[village[key // 3]]}\t{name_of[key]}\t{day[key]}\t{serial[key]}\t"
                + (
                    f"{term(finding.Kind.PHONE, f'1{phone[key]}')}\t{phone[key] % 10_000}\n"
                    if has_phone[key]
                    else "\\N\t\\N\n"
                )
                for key in range(households * 3)
            ),
        )
        copy(
            cursor,
            "name_terms",
            "name, term",
            (
                f"{place}\t\\\\x{one.hex()}\n"
                for place, name in enumerate(pool)
                for one in finding.name_terms(name)
            ),
        )
        copy(
            cursor,
            "end4",
            "serial, term",
            (f"{n}\t{term(finding.Kind.ID_TAIL, text)}\n" for n, text in enumerate(ends)),
        )
        copy(
            cursor,
            "end6",
            "day, serial, term",
            (
                f"{d}\t{n}\t{term(finding.Kind.ID_TAIL, f'{d:02d}{text}')}\n"
                for d in range(1, 32)
                for n, text in enumerate(ends)
            ),
        )
        copy(
            cursor,
            "phone4",
            "phone_end, term",
            (f"{n}\t{term(finding.Kind.PHONE_TAIL, f'{n:04d}')}\n" for n in range(10_000)),
        )
        head = "insert into registry_searchterm (term, county, region_code, household_id, person_id) select"
        rest = "left(s.region, 6), s.region, s.household, s.person from staged s"
        for query in (
            f"{head} t.term, {rest} join name_terms t using (name)",
            f"{head} t.term, {rest} join end4 t using (serial)",
            f"{head} t.term, {rest} join end6 t using (day, serial)",
            f"{head} s.phone, {rest} where s.phone is not null",
            f"{head} t.term, {rest} join phone4 t using (phone_end)",
            f"{head} convert_to('h' || h.household_no, 'UTF8'), {rest} join registry_household h on h.id = s.household"
            " where s.person % 3 = 1",
            f"{head} convert_to('r' || reverse(h.household_no), 'UTF8'), {rest} join registry_household h"
            " on h.id = s.household where s.person % 3 = 1",
            "insert into registry_membership (valid_from, recorded_at, load_id, household_id, person_id, relation,"
            " living_together, registered, basis) select '2024-11-15', now(),"
            f" {load}, household, person, case person % 3 when 1 then '户主' else '子' end, true, true, '' from staged",
        ):
            cursor.execute(query)
        for _table, _index, definition in indexes:
            cursor.execute(definition)
        cursor.execute("drop table staged, name_terms, end4, end6, phone4")
        cursor.execute("analyze")
        cursor.execute(
            "select pg_total_relation_size('registry_searchterm'), count(*) from registry_searchterm"
        )
        size, rows = cursor.fetchone()
    picks = random.Random(SEED)
    chosen = [picks.randrange(households * 3) for _ in range(400)]
    return {
        "fill_seconds": round(time.monotonic() - began),
        "terms": rows,
        "terms_gib": round(size / 2**30, 2),
        "asked": [
            {
                "name": pool[name_of[key]],
                "id_tail": ends[serial[key]],
                "id_tail6": f"{day[key]:02d}{ends[serial[key]]}",
                "phone": f"1{phone[key]}",
                "household": f"{regions[village[key // 3]][:6]}{key // 3:08d}",
                "region": regions[village[key // 3]],
            }
            for key in chosen
            if has_phone[key]
        ],
    }


def typed(kind: str, one: dict[str, str], number: int) -> str:
    """What a clerk types to find a person of the register: whole and short, common and rare."""
    from doudi.engine.pinyin import spellings

    name = one["name"]
    full, initials = spellings(name)[0]
    return {
        "name": name[: 1 + number % len(name)],
        "name_part": name[1 + number % (len(name) - 1) :],
        "initials": initials[: 1 + number % len(initials)],
        "pinyin": full[: 4 + number % 6],
        "phone_tail": one["phone"][-4:],
        "household": one["household"] if number % 2 else one["household"][-5:],
    }.get(kind, one.get(kind, ""))


def percentiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "p50_ms": round(1000 * statistics.median(ordered), 1),
        "p95_ms": round(1000 * ordered[int(len(ordered) * 0.95)], 1),
        "max_ms": round(1000 * ordered[-1], 1),
    }


def clocked(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def ask(asked: list[dict[str, str]], each: int) -> Iterator[dict[str, Any]]:
    """Every kind of text as every account, each search twice, the first page of 25 with its people and households."""
    from doudi.contexts.accounts.services import Role, User
    from doudi.contexts.registry import services as registry

    for account, digits, role in (
        ("township", 9, "township"),
        ("county", 6, "county"),
        ("province", 2, "county"),
    ):
        for kind in _SCRIPT:
            first, again, hits = [], [], 0
            for number, one in enumerate(asked[:each]):
                by = User(
                    username="bench",
                    display_name="b",
                    role=Role(role),
                    region_code=one["region"][:digits],
                    is_active=True,
                )
                text = typed(kind, one, number)
                found, seconds = clocked(lambda: registry.find(text, by=by))  # noqa: B023 — called at once
                first.append(seconds)
                again.append(clocked(lambda: registry.find(text, by=by))[1])  # noqa: B023 — called at once
                hits += len(found.hits)
            yield {
                "claim": f"find by {kind}, {account} account",
                "searches": len(first),
                "hits": hits,
                **{f"first_{key}": value for key, value in percentiles(first).items()},
                **{f"again_{key}": value for key, value in percentiles(again).items()},
            }


def lists() -> Iterator[dict[str, Any]]:
    """The list without a text, first page and one far in, and the bounded count."""
    from django.db import connection

    for label, condition in (("province", "52%"), ("county", "520050%"), ("township", "520050010%")):
        with connection.cursor() as cursor:
            query = (
                "select count(*) from (select 1 from registry_household where listed and responsible_region like %s"
                " limit 1001) as bounded"
            )
            _, seconds = clocked(lambda: cursor.execute(query, [condition]))  # noqa: B023 — called at once
        yield {"claim": f"bounded count, {label}", "ms": round(seconds * 1000, 1)}


def peer(asked: list[dict[str, str]], each: int = 5) -> dict[str, Any]:
    """The plain way: a condition on the name over everybody of the area, joined."""
    from doudi.contexts.registry.models import Membership

    seconds = []
    for one in asked[:each]:
        found = Membership.objects.filter(
            person__name__contains=one["name"][1:],
            household__responsible_region__startswith=one["region"][:6],
            valid_to=None,
        ).select_related("person", "household").order_by("household__household_no")[:25]  # fmt: skip
        seconds.append(clocked(lambda: list(found))[1])  # noqa: B023 — called at once
    return {"claim": "peer: name LIKE '%…%' joined, county account", "searches": each, **percentiles(seconds)}


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--persons", type=float, default=60_000)
    options.add_argument("--each", type=int, default=40, help="searches of each kind and account")
    options.add_argument("--server", default="postgresql://postgres@127.0.0.1:5432")
    options.add_argument("--keep", action="store_true", help="keep the scratch database")
    chosen = options.parse_args()
    name = f"doudi_bench_lists_{os.getpid()}"
    with psycopg.connect(f"{chosen.server}/postgres", autocommit=True) as server:
        server.execute(f"create database {name}")
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.environ.update(
                DOUDI_HOME=folder,
                DOUDI_DATABASE_URL=f"{chosen.server}/{name}",
                DJANGO_SETTINGS_MODULE="doudi.house.settings",
            )
            import django

            django.setup()
            from django.core.management import call_command

            from doudi.house.paths import home

            home().create()
            call_command("migrate", interactive=False, verbosity=0)
            made = fill(int(chosen.persons))
            asked = made.pop("asked")
            print(json.dumps({"claim": "the register", "persons": int(chosen.persons), **made}), flush=True)
            for row in chain(ask(asked, chosen.each), lists(), [peer(asked)]):
                print(json.dumps(row), flush=True)
            django.db.connections.close_all()
    finally:
        if not chosen.keep:
            with psycopg.connect(f"{chosen.server}/postgres", autocommit=True) as server:
                server.execute(f"drop database if exists {name} with (force)")


if __name__ == "__main__":
    main()
