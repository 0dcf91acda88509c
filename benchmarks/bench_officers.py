"""Fifty officers at once on a million warnings of history: page times on PostgreSQL, ``doudi serve`` and the load on one machine.

    python -m benchmarks.bench_officers [--history 1000000] [--officers 50] [--seconds 120] [--think 5]

Needs a PostgreSQL it may create a database on (``DOUDI_BENCH_POSTGRES``, default the local one). A county of the sample
is loaded and screened, 20,000 open and ``--history`` closed warnings are added, and officers of the county and its
townships work: the day's page, the list with filters, a warning, dispatch, visit, close. Two officers are sent at the
same warning now and then: one must win, the other must be told. The time of a page is from the first byte sent to the
last byte read; between two pages an officer reads for ``--think`` seconds on average.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import re
import resource
import select
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

ROOT = Path(__file__).resolve().parents[1]
POSTGRES = os.environ.get("DOUDI_BENCH_POSTGRES", "postgresql://postgres@127.0.0.1:5432")
DATABASE = "doudi_bench_officers"
AS_OF = "2024-11-15"
PORT = 8799
OPEN = 20_000
COUNTY = "522730"


# ---- the office ----------------------------------------------------------------------------------------------------


def prepare(history: int, officers: int) -> dict[str, Any]:
    """Fill the scratch database; gives each officer's session and the numbers of the warnings of the sample."""
    from doudi.cli.shell import open_office

    open_office(quiet=True)
    from datetime import date

    from django.conf import settings
    from django.db import connection

    from doudi import chain
    from doudi.contexts.accounts.services import Role, system_user
    from doudi.contexts.monitoring.models import WarningCase
    from doudi.contexts.registry import services as registry

    by = system_user()
    chain.take_in_folder(
        settings.PROJECT / "samples" / "longli" / "files", as_of=date.fromisoformat(AS_OF), by=by
    )
    chain.screen(as_of=date.fromisoformat(AS_OF), by=by)
    # the warnings of the sample have an explanation to show; all others lie in the townships of the same county
    explained = [case.number for case in WarningCase.objects.open() if case.region_code.startswith(COUNTY)]
    townships = [code for code, _name in registry.children(COUNTY)]
    _households(history // 10, townships)
    _warnings(history, townships)
    with connection.cursor() as cursor:
        cursor.execute("analyze")
    people = [
        _session(f"officer{n}", Role.COUNTY if n % 5 == 0 else Role.TOWNSHIP, COUNTY if n % 5 == 0 else townships[n % len(townships)])
        for n in range(officers)
    ]  # fmt: skip
    return {"people": people, "explained": explained, "townships": townships}


def _rows(model: Any, count: int, given: dict[str, str]) -> None:
    """Insert ``count`` rows; ``given`` maps fields to SQL over ``n``, the others take the model's default."""
    from django.db import connection

    columns, values, constants = [], [], []
    for one in model._meta.concrete_fields:
        if one.primary_key:
            continue
        columns.append(one.column)
        if one.attname in given:
            values.append(given[one.attname].replace("%", "%%"))
        else:
            values.append("%s")
            constants.append(one.get_db_prep_save(one.get_default(), connection))
    with connection.cursor() as cursor:
        cursor.execute(
            f"insert into {model._meta.db_table} ({', '.join(columns)}) select {', '.join(values)} "
            f"from generate_series(0, {count - 1}) as n",
            constants,
        )


def _township_sql(townships: list[str]) -> str:
    listed = ", ".join(f"'{one}'" for one in townships)
    return f"(array[{listed}])[1 + n % {len(townships)}] || '001'"


def _households(count: int, townships: list[str]) -> None:
    from doudi.contexts.registry.models import Household

    place = _township_sql(townships)
    _rows(
        Household,
        count,
        {"household_no": "'BN' || lpad(n::text, 7, '0')", "region_code": place, "responsible_region": place,
         "urban_rural": "'农村'", "head_name": "'张' || n", "persons": "1 + n % 5", "register_date": f"date '{AS_OF}'"},
    )  # fmt: skip


def _warnings(history: int, townships: list[str]) -> None:
    """Open warnings first, then the history: each tenth household has ten closed ones over four years."""
    from django.db import connection

    from doudi.contexts.monitoring.models import CaseEvent, Signal, WarningCase

    place = _township_sql(townships)
    level = "(array['yellow','yellow','orange','red'])[1 + n % 4]"
    rank = "(array[2,2,3,4])[1 + n % 4]"
    shared = {
        "region_code": place, "level": level, "level_rank": rank, "clock_rank": rank, "found_category": "'DB'",
        "register_category": "'DB'", "change": "'same'", "head_name": "'张' || n", "wound": "true",
    }  # fmt: skip
    _rows(
        WarningCase,
        OPEN,
        shared
        | {"number": "'YJ-O' || n", "household_no": "'BN' || lpad(n::text, 7, '0')", "status": "'new'",
           "opened_on": "current_date", "as_of": f"date '{AS_OF}'", "opened_at": "now()",
           "due_on": "current_date + (n % 8 - 2)", "remind_at": "now() + interval '1 day'"},
    )  # fmt: skip
    day = "(current_date - 30 - n % 1400)"
    _rows(
        WarningCase,
        history,
        shared
        | {"number": "'YJ-H' || n", "household_no": f"'BN' || lpad((n % {history // 10})::text, 7, '0')",
           "status": "'closed'", "opened_on": day, "as_of": day, "opened_at": day, "dispatched_at": day,
           "closed_at": day, "closing_note": "'已办结'", "result_code": "(array['A','C','D','F'])[1 + n % 4]",
           "revisit_on": f"{day} + 60", "revisited": "n % 100 > 0"},
    )  # fmt: skip
    signals, events = Signal._meta.db_table, CaseEvent._meta.db_table
    names = {one.column: one for one in Signal._meta.concrete_fields if not one.primary_key}
    known = {
        "case_id": "id",
        "code": "(array['M1','M2','U1','K3'])[1 + id %% 4]",
        "first_seen": "opened_on",
        "last_seen": "opened_on",
        "active": "true",
    }
    others = {name: one for name, one in names.items() if name not in known}
    constants = [one.get_db_prep_save(one.get_default(), connection) for one in others.values()]
    mine = "number like 'YJ-O%%' or number like 'YJ-H%%'"
    with connection.cursor() as cursor:
        cursor.execute(
            f"insert into {signals} ({', '.join([*known, *others])}) select {', '.join([*known.values(), *(['%s'] * len(others))])} "
            f"from {WarningCase._meta.db_table} where {mine}",
            constants,
        )
        cursor.execute(
            f"insert into {events} (case_id, at, actor, actor_name, kind, text) select id, opened_at, 'system', '系统', 'open', "
            f"'筛查发现信号' from {WarningCase._meta.db_table} where {mine.replace('%%', '%')}"
        )


def _session(name: str, role: Any, region: str) -> dict[str, str]:
    """An account that is signed in already: the log-in page is not what is measured."""
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from doudi.contexts.accounts.services import create_user, system_user

    user = create_user(
        username=name, password="bench-password-1", display_name=name, role=role, region_code=region,
        by=system_user(), check_password=False,
    )  # fmt: skip
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    return {"name": name, "role": str(role), "region": region, "session": store.session_key}


# ---- the officers --------------------------------------------------------------------------------------------------


@dataclass
class Times:
    """Seconds by kind of page, and what went wrong."""

    pages: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    faults: list[str] = field(default_factory=list)
    told: int = 0
    won: int = 0
    served: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Officer:
    """One browser: keeps its connection and its cookies, reads, thinks, acts."""

    def __init__(
        self, person: dict[str, str], office: dict[str, Any], times: Times, seed: int, think: float
    ) -> None:
        self.person, self.office, self.times, self.think = person, office, times, think
        self.random = random.Random(seed)
        self.cookies = {"sessionid": person["session"], "csrftoken": "x" * 32}
        self.connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)

    def ask(self, kind: str, path: str, form: dict[str, str] | None = None) -> tuple[int, str, str]:
        headers = {"Cookie": "; ".join(f"{key}={value}" for key, value in self.cookies.items())}
        body = None
        if form is not None:
            headers |= {
                "Content-Type": "application/x-www-form-urlencoded",
                "Referer": f"http://127.0.0.1:{PORT}/",
            }
            body = urlencode(form | {"csrfmiddlewaretoken": self.cookies["csrftoken"]})
        if self.connection.sock and select.select([self.connection.sock], [], [], 0)[0]:
            # the server has ended a connection that was idle for half a minute; a browser opens another
            self.connection.close()
        began = time.perf_counter()
        try:
            self.connection.request("GET" if body is None else "POST", path, body, headers)
            answer = self.connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException) as problem:
            self.connection.close()
            with self.times.lock:
                self.times.faults.append(f"{kind} {type(problem).__name__}")
            return 0, "", ""
        took = time.perf_counter() - began
        with self.times.lock:
            self.times.pages[kind].append(took)
            if answer.status not in (200, 302, 422) and len(self.times.faults) < 100:
                self.times.faults.append(f"{kind} {answer.status} {path}")
        return answer.status, text, answer.getheader("Location") or ""

    def rest(self) -> None:
        time.sleep(self.random.expovariate(1 / self.think))

    def work(self, until: float) -> None:
        # officers do not all press their first button in the same instant
        time.sleep(self.random.uniform(0, self.think))
        while time.time() < until:
            act = self.random.choices(
                [self.home, self.look, self.open, self.clocks, self.step], [1, 3, 3, 1, 2]
            )[0]
            act()
            self.rest()

    def home(self) -> None:
        self.ask("home", "/")

    def clocks(self) -> None:
        self.ask("clocks", "/clocks/")

    def look(self) -> list[str]:
        asked = {
            "status": self.random.choice(["open", "new", "dispatched", "visited", "closed", "all"]),
            "level": self.random.choice(["", "", "red", "orange"]),
            "code": self.random.choice(["", "", "M1", "K3"]),
            "sort": self.random.choice(["urgent", "due", "new", "region"]),
            "text": self.random.choice(["", "", "", "张1", "BN00012"]),
            "page": str(self.random.choice([1, 1, 1, 2, 5])),
        }
        _status, text, _location = self.ask("list", f"/warnings/?{urlencode(asked)}")
        return re.findall(r'href="/warnings/([^"?]+)/"', text)

    def open(self) -> None:
        if self.person["role"] == "county" and self.random.random() < 0.5:
            number = self.random.choice(self.office["explained"])
        else:
            listed = self.look()
            if not listed:
                return
            self.rest()
            number = self.random.choice(listed)
        self.ask("warning", f"/warnings/{quote(number)}/")

    def step(self) -> None:
        """The next step of some warning: the county dispatches and closes, the township visits."""
        if self.person["role"] == "county":
            wanted, kind = self.random.choice([("new", "dispatch"), ("visited", "close")])
        else:
            wanted, kind = "dispatched", "visit"
        _status, text, _location = self.ask("list", f"/warnings/?status={wanted}&sort=new")
        listed = [
            number for number in re.findall(r'href="/warnings/([^"?]+)/"', text) if number.startswith("YJ-O")
        ]
        if not listed:
            return
        self.rest()
        # the first rows draw several officers to one warning
        number = listed[min(int(self.random.expovariate(0.3)), len(listed) - 1)]
        _status, page, _location = self.ask("warning", f"/warnings/{number}/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        seen = re.search(rf'action="/warnings/[^"]+/{kind}/".*?name="seen" value="(\d+)"', page, re.S)
        if token is None or seen is None:
            return
        self.rest()
        own = re.search(r'<select name="to".*?<option value="(\d+)" selected', page, re.S)
        form = FORMS[kind](self) | {"seen": seen[1]} | ({"to": own[1]} if own is not None else {})
        form["csrfmiddlewaretoken"] = token[1]
        status, text, _location = self.ask(kind, f"/warnings/{number}/{kind}/", form)
        with self.times.lock:
            if status == 302:
                self.times.won += 1
            elif "刚被他人处理" in text or status == 302:
                self.times.told += 1
            else:
                self.times.faults.append(f"{kind} {status} neither done nor told")


FORMS: dict[str, Callable[[Officer], dict[str, str]]] = {
    "dispatch": lambda _officer: {"remark": ""},
    "visit": lambda _officer: {
        "visited_on": time.strftime("%Y-%m-%d"), "visitor_1": "甲", "visitor_2": "乙", "result_code": "C",
        "finding": "住院花费大，家里没有积蓄。",
    },
    "close": lambda _officer: {"closing_note": "救助到位，已告知家庭"},
}  # fmt: skip


def run(office: dict[str, Any], *, seconds: float, think: float) -> Times:
    """Let everybody work for ``seconds``."""
    times = Times()
    until = time.time() + seconds
    threads = [
        threading.Thread(target=Officer(person, office, times, seed, think).work, args=(until,))
        for seed, person in enumerate(office["people"])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


# ---- the measurement -----------------------------------------------------------------------------------------------


def environment(home: str) -> dict[str, str]:
    """What a process of the office needs to know."""
    return {
        **os.environ,
        "DOUDI_HOME": home,
        "DOUDI_DATABASE_URL": f"{POSTGRES}/{DATABASE}",
        "DJANGO_SETTINGS_MODULE": "doudi.house.settings",
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src"))),
    }


def database(command: str) -> None:
    """Drop the scratch database, or ``create`` it anew."""
    import psycopg

    with psycopg.connect(f"{POSTGRES}/postgres", autocommit=True) as connection:
        connection.execute(f'drop database if exists "{DATABASE}" with (force)')
        if command == "create":
            connection.execute(f'create database "{DATABASE}"')


def serve(home: str, workers: int, **settings: str) -> subprocess.Popen[bytes]:
    """Start ``doudi serve`` and wait until it answers."""
    server = subprocess.Popen(
        [sys.executable, "-c", "from doudi.cli import main; main()", "serve", "--port", str(PORT), "--workers", str(workers)],
        env=environment(home) | settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    for _ in range(2000):  # a machine that is shared starts slowly
        try:
            probe = http.client.HTTPConnection("127.0.0.1", PORT, timeout=2)
            probe.request("GET", "/healthz")
            if probe.getresponse().status == 200:
                return server
        except OSError:
            time.sleep(0.5)
    server.terminate()
    raise SystemExit("the server did not come up")


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def report(times: Times, asked: argparse.Namespace, load: tuple[float, float, float]) -> dict[str, Any]:
    """The figures in milliseconds, all pages together and each kind apart."""
    every = [one for values in times.pages.values() for one in values]
    kinds = {
        kind: {"pages": len(values), "p50_ms": round(statistics.median(values) * 1000), "p95_ms": round(percentile(values, 0.95) * 1000)}
        for kind, values in sorted(times.pages.items())
    }  # fmt: skip
    return {
        "claim": f"{asked.officers} officers on {asked.history:,} warnings of history, PostgreSQL, {os.cpu_count()} cores",
        "pages": len(every),
        "pages_per_second": round(len(every) / asked.seconds, 1),
        "p50_ms": round(statistics.median(every) * 1000),
        "p95_ms": round(percentile(every, 0.95) * 1000),
        "p99_ms": round(percentile(every, 0.99) * 1000),
        "steps_done": times.won,
        "outrun_and_told": times.told,
        "faults": len(times.faults),
        "first_faults": times.faults[:5],
        "load_before": round(load[0], 2),
        "kinds": kinds,
    }


def main() -> None:
    reader = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    reader.add_argument("--history", type=int, default=1_000_000)
    reader.add_argument("--officers", type=int, default=50)
    reader.add_argument("--seconds", type=float, default=120)
    reader.add_argument("--think", type=float, default=5.0)
    reader.add_argument("--workers", type=int, default=2)
    reader.add_argument("--prepare", metavar="FILE", help=argparse.SUPPRESS)
    reader.add_argument("--keep", metavar="FOLDER", help="keep the office there and use it again")
    asked = reader.parse_args()
    if asked.prepare:
        Path(asked.prepare).write_text(json.dumps(prepare(asked.history, asked.officers)), encoding="utf-8")
        return
    with tempfile.TemporaryDirectory(prefix="doudi-officers-") as scratch:
        home = Path(asked.keep or scratch)
        told = home / "office.json"
        if not told.exists():
            database("create")
            home.mkdir(parents=True, exist_ok=True)
            subprocess.run(
                [
                    sys.executable, "-m", "benchmarks.bench_officers", "--prepare", str(told),
                    "--history", str(asked.history), "--officers", str(asked.officers),
                ],
                env=environment(str(home)), check=True, cwd=ROOT, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        office = json.loads(told.read_text(encoding="utf-8"))
        load = os.getloadavg()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        before = used.ru_utime + used.ru_stime
        server = serve(str(home), asked.workers)
        try:
            warm = run(office, seconds=min(10, asked.seconds / 4), think=asked.think)
            times = run(office, seconds=asked.seconds, think=asked.think)
            times.served = sum(len(values) for one in (warm, times) for values in one.pages.values())
        finally:
            server.terminate()
            server.wait(20)
        told_of = report(times, asked, load)
        # the server's own processor time, which other work on the machine does not lengthen; the database's is apart
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        told_of["server_cpu_ms_per_page"] = round(
            (used.ru_utime + used.ru_stime - before) * 1000 / times.served
        )
        print(json.dumps(told_of, ensure_ascii=False), flush=True)
        if not asked.keep:
            database("drop")


if __name__ == "__main__":
    main()
