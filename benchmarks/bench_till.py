"""The lunch half-hour: 50 places with 100 diners each at their tills, on PostgreSQL, with the network cut in between.

    python -m benchmarks.bench_till [--sites 50] [--diners 100] [--minutes 30] [--cut 0.05]

Needs a PostgreSQL it may create a database on (``DOUDI_BENCH_POSTGRES``, default the local one). Every place serves its
diners at random moments of the time. A share of the meals (``--cut``) is sent into a cut: the till hangs up before the
answer came, or sends twice at the same moment from two threads, and then sends the same token again until it has its
answer; a few diners try for a second meal at another place at once. At the end each meal must stand exactly once, with
one subsidy a diner. The time of a meal is from the first byte sent to the last byte read. Served again as fast as it
goes (``--minutes 0``) it says how many meals a second there is room for.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[1]
POSTGRES = os.environ.get("DOUDI_BENCH_POSTGRES", "postgresql://postgres@127.0.0.1:5432")
DATABASE = "doudi_bench_till"
PORT = 8798
COUNTY, TOWNSHIP = "522730", "522730101"
LIMIT_MS = 150


def prepare(sites: int, diners: int) -> dict[str, Any]:
    """Fill the scratch database: places with a menu, their diners' meal codes, and a key for each till."""
    from doudi.cli.shell import open_office

    open_office(quiet=True)
    from datetime import date, time, timedelta

    from django.utils import timezone as clock

    from doudi import chain
    from doudi.contexts.accounts.services import Act, Role, create_api_key, create_user, system_user
    from doudi.contexts.meals import services as meals
    from doudi.engine.identity import check_digit

    by, today = system_user(), clock.localdate()
    tills = []
    for number in range(sites):
        code = f"CT-{COUNTY}-{number:03d}"
        place = meals.open_site(
            code=code, name=f"食堂{number}", kind="canteen", region_code=TOWNSHIP, opened_on=today, by=by,
            licence_no="JY", licence_until=date(2099, 1, 1),
        )  # fmt: skip
        meals.set_hours(
            place, meal="lunch", serves_from=time(11), serves_until=time(13), capacity=diners * 2, by=by
        )
        cook = create_user(
            username=f"cook{number}", password="a-long-bench-password", display_name="厨", role=Role.CANTEEN,
            region_code=COUNTY, organisation=code, by=by, check_password=False,
        )  # fmt: skip
        dishes = [
            meals.keep_dish(place, name=f"菜{n}", ingredients=["白菜"], by=cook, rules=chain.meal_network())
            for n in range(3)
        ]
        for ahead in (0, 1):
            meals.publish_menu(
                place, day=today + timedelta(days=ahead), meal="lunch", price_fen=1600,
                dish_keys=[dish.pk for dish in dishes], by=cook,
            )  # fmt: skip
        key = create_api_key(
            cook, label="till", scopes=[Act.SERVE_MEAL], expires_at=clock.now() + timedelta(days=2), by=by
        )
        codes = []
        for serial in range(diners + 1):  # the first one warms the server up and is not measured
            body = f"5299001950{1 + number % 12:02d}{1 + serial % 28:02d}{(number * 37 + serial) % 1000:03d}"
            person = chain.enrol_diner(
                meals.Enrolment(
                    name=f"老人{number}-{serial}", id_number=body + check_digit(body), region_code=TOWNSHIP,
                    registered_region=COUNTY, site_code=code, channel="village", consent_on=today,
                    consent_by="本人", consent_how="本人签字",
                ),
                by=by,
            )  # fmt: skip
            codes.append(person.code)
        tills.append({"site": code, "key": key.text, "warm": codes[0], "codes": codes[1:]})
    return {"tills": tills}


@dataclass
class Lunch:
    """What was measured: seconds of each answered meal, tokens that must stand, faults."""

    seconds: list[float] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    people: set[str] = field(default_factory=set)
    cut: int = 0
    doubled: int = 0
    elsewhere: int = 0
    faults: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def _body(token: str, site: str, code: str) -> bytes:
    at = datetime.now(UTC).isoformat()
    return json.dumps({"token": token, "site": site, "key": code, "meal": "lunch", "at": at}).encode()


def _headers(till: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {till['key']}", "Content-Type": "application/json"}


def _send(till: dict[str, Any], body: bytes, lunch: Lunch) -> None:
    """Send one meal and read its answer; a server that is busy is asked again."""
    for _ in range(20):
        link = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
        began = time.perf_counter()
        try:
            link.request("POST", "/api/v1/meals/served", body, _headers(till))
            answer = link.getresponse()
            said = answer.read()
        except OSError as problem:
            with lunch.lock:
                lunch.faults.append(repr(problem))
            time.sleep(0.5)
            continue
        finally:
            link.close()
        if answer.status == 200:
            with lunch.lock:
                lunch.seconds.append(time.perf_counter() - began)
            return
        with lunch.lock:
            lunch.faults.append(f"{answer.status} {said[:200]!r}")
        if answer.status != 503:
            return
        time.sleep(0.2)


def _hang_up(till: dict[str, Any], body: bytes) -> None:
    """Send a meal whole and hang up before the answer, as a network does that goes away."""
    head = "".join(f"{name}: {value}\r\n" for name, value in _headers(till).items())
    sent = (
        f"POST /api/v1/meals/served HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode()
        + body
    )
    with socket.create_connection(("127.0.0.1", PORT), timeout=10) as link:
        link.sendall(sent)


def _till(
    till: dict[str, Any], other: dict[str, Any], lunch: Lunch, minutes: float, cut: float, seed: int
) -> None:
    rng = random.Random(seed)
    moments = sorted(rng.uniform(0, minutes * 60) for _ in till["codes"])
    began = time.monotonic()
    for code, moment in zip(till["codes"], moments, strict=True):
        time.sleep(max(0.0, began + moment - time.monotonic()))
        token = str(uuid4())
        body = _body(token, till["site"], code)
        with lunch.lock:
            lunch.tokens.add(token)
            lunch.people.add(code)
        chance = rng.random()
        if chance < cut:
            lunch.cut += 1
            _hang_up(till, body)
            time.sleep(rng.uniform(0, 0.2))
        elif chance < 2 * cut:
            lunch.doubled += 1
            twin = threading.Thread(target=_send, args=(till, body, lunch))
            twin.start()
            _send(till, body, lunch)
            twin.join()
            continue
        elif chance < 3 * cut:
            lunch.elsewhere += 1
            second = str(uuid4())
            with lunch.lock:
                lunch.tokens.add(second)
            twin = threading.Thread(target=_send, args=(other, _body(second, other["site"], code), lunch))
            twin.start()
            _send(till, body, lunch)
            twin.join()
            continue
        _send(till, body, lunch)


def _environment(home: str) -> dict[str, str]:
    return {
        **os.environ,
        "DOUDI_HOME": home,
        "DOUDI_DATABASE_URL": f"{POSTGRES}/{DATABASE}",
        "DJANGO_SETTINGS_MODULE": "doudi.house.settings",
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src"))),
    }


def _database(*commands: str) -> None:
    import psycopg

    with psycopg.connect(f"{POSTGRES}/postgres", autocommit=True) as connection:
        for command in commands:
            connection.execute(command)


def _counted(warmed: int) -> tuple[set[str], int, int]:
    """The tokens that stand in the database behind the first ``warmed``, diners with a subsidy, subsidies."""
    import psycopg

    with psycopg.connect(f"{POSTGRES}/{DATABASE}") as connection:
        tokens = {
            str(row[0])
            for row in connection.execute(
                "select token from meals_mealserved order by id offset %s", [warmed]
            )
        }
        people, times = connection.execute(
            "select count(distinct diner_id), count(*) from meals_mealserved where subsidy_fen > 0 and state = 'valid'"
        ).fetchone() or (0, 0)
    return tokens, people, times


def main() -> None:
    reader = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    reader.add_argument("--sites", type=int, default=50)
    reader.add_argument("--diners", type=int, default=100)
    reader.add_argument("--minutes", type=float, default=30.0)
    reader.add_argument("--cut", type=float, default=0.05)
    reader.add_argument("--workers", type=int, default=2)
    reader.add_argument("--prepare", metavar="FILE", help=argparse.SUPPRESS)
    asked = reader.parse_args()
    if asked.prepare:
        Path(asked.prepare).write_text(json.dumps(prepare(asked.sites, asked.diners)), encoding="utf-8")
        return
    fresh = f'drop database if exists "{DATABASE}" with (force)'
    with tempfile.TemporaryDirectory(prefix="doudi-till-") as home:
        _database(fresh, f'create database "{DATABASE}"')
        told = Path(home) / "tills.json"
        subprocess.run(
            [
                sys.executable, "-m", "benchmarks.bench_till", "--prepare", str(told), "--sites", str(asked.sites),
                "--diners", str(asked.diners),
            ],
            env=_environment(home), check=True, cwd=ROOT, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        tills = json.loads(told.read_text(encoding="utf-8"))["tills"]
        server = subprocess.Popen(
            [sys.executable, "-c", "from doudi.cli import main; main()", "serve", "--port", str(PORT), "--workers", str(asked.workers)],
            env=_environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            _wait()
            warm = Lunch()
            for till in tills:
                _send(till, _body(str(uuid4()), till["site"], till["warm"]), warm)
            load = os.getloadavg()[0]
            lunch = Lunch()
            began = time.monotonic()
            threads = [
                threading.Thread(
                    target=_till, args=(till, tills[(n + 1) % len(tills)], lunch, asked.minutes, asked.cut, n)
                )
                for n, till in enumerate(tills)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            took = time.monotonic() - began
        finally:
            server.terminate()
            server.wait(20)
        print(
            json.dumps(_report(lunch, asked, took, load, len(warm.seconds)), ensure_ascii=False), flush=True
        )
        _database(fresh)


def _wait() -> None:
    for _ in range(240):
        try:
            probe = http.client.HTTPConnection("127.0.0.1", PORT, timeout=2)
            probe.request("GET", "/healthz")
            if probe.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.5)
    raise SystemExit("the server did not come up")


def _report(lunch: Lunch, asked: argparse.Namespace, took: float, load: float, warmed: int) -> dict[str, Any]:
    standing, people, times = _counted(warmed)
    ordered = sorted(lunch.seconds)
    if not ordered:
        raise SystemExit(f"no meal was taken: {lunch.faults[:3]}")
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))] * 1000
    return {
        "claim": f"till: {asked.sites} places × {asked.diners} diners in {asked.minutes:g} minutes, PostgreSQL",
        "meals": len(lunch.tokens),
        "answers": len(ordered),
        "meals_per_second": round(len(ordered) / took, 1),
        "p50_ms": round(statistics.median(ordered) * 1000, 1),
        "p95_ms": round(p95, 1),
        "max_ms": round(ordered[-1] * 1000, 1),
        "within_limit": p95 < LIMIT_MS,
        "lost": len(lunch.tokens - standing),
        "doubled": len(standing - lunch.tokens) + times - people,
        "diners_subsidised": people - warmed,
        "diners": len(lunch.people),
        "cut_off": lunch.cut,
        "sent_twice_at_once": lunch.doubled,
        "two_places_at_once": lunch.elsewhere,
        "faults": len(lunch.faults),
        "first_faults": lunch.faults[:3],
        "load_before": round(load, 2),
    }


if __name__ == "__main__":
    main()
