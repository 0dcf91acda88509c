"""A province at work on one machine: 200 officers, 2,000 citizens, 50 departments pushing files, PostgreSQL, two processes.

    python -m benchmarks.load_province [--seconds 900] [--officers 200] [--citizens 2000] [--departments 50]

Fails (exit 1) where the 95th percentile of pages is 500 ms or more, an answer is an error, or the server's memory grows by more
than a tenth from the first third of the time to the end. Taking a file in is told apart: nobody waits before a screen for it.
Locust comes into an environment of its own (``benchmarks/requirements-peers.txt``); the office is that of ``bench_officers``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.bench_officers import AS_OF, PORT, ROOT, database, environment, prepare, serve
from benchmarks.measuring import peer_python

LIMIT_MS = 500
GROWTH = 1.1
FEED, FILE = "housing_fund", "公积金.csv"


def office(history: int, officers: int, departments: int) -> dict[str, Any]:
    """The office of ``bench_officers`` with a key for each department's program."""
    made = prepare(history, officers)
    from django.utils import timezone

    from doudi.contexts.accounts.services import Act, Role, create_api_key, create_user, system_user

    by = system_user()
    pusher = create_user(
        username="pusher", password="bench-password-1", display_name="数据交换", role=Role.COUNTY, region_code="", by=by,
        check_password=False,
    )  # fmt: skip
    keys = [
        create_api_key(
            pusher, label=f"单位{number}", scopes=[Act.LOAD_FEEDS, Act.VIEW_LOADS], by=by,
            expires_at=timezone.now() + timedelta(days=2),
        ).text
        for number in range(departments)
    ]  # fmt: skip
    rows = (ROOT / "samples" / "longli" / "files" / FILE).read_text(encoding="utf-8-sig").splitlines()
    return made | {"keys": keys, "rows": rows, "feed": FEED, "as_of": AS_OF}


def memory_mib(group: int) -> int:
    """Resident memory of the processes of a group: the server's own is of its leader."""
    pages = 0
    for one in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(one.name)) == group:
                pages += int((one / "statm").read_text().split()[1])
        except (OSError, ValueError):
            continue
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def processor_seconds(group: int) -> float:
    """Processor seconds of the living processes of a group."""
    ticks = 0
    for one in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(one.name)) == group:
                said = (one / "stat").read_text().rpartition(")")[2].split()
                ticks += int(said[11]) + int(said[12])
        except (OSError, ValueError):
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def watch(group: int, until: threading.Event) -> list[int]:
    """The server's memory every five seconds."""
    seen: list[int] = []

    def look() -> None:
        while not until.wait(5):
            seen.append(memory_mib(group))

    threading.Thread(target=look, daemon=True).start()
    return seen


def report(folder: Path, asked: argparse.Namespace, memory: list[int], used: float) -> dict[str, Any]:
    """The figures of a run, from what locust wrote down."""
    with (folder / "run_stats.csv").open(encoding="utf-8") as lines:
        rows = {row["Name"]: row for row in csv.DictReader(lines)}
    with (folder / "run_failures.csv").open(encoding="utf-8") as lines:
        faults = [
            f"{row['Name']}: {row['Error'][:120]} × {row['Occurrences']}" for row in csv.DictReader(lines)
        ]
    total, kinds = rows.pop("Aggregated"), sorted(rows)
    pages = [name for name in kinds if name != "department: push"]
    third = memory[len(memory) // 3] if memory else 0
    slow = [name for name in pages if int(rows[name]["95%"]) >= LIMIT_MS]
    counted = sum(int(rows[name]["Request Count"]) for name in pages)
    slowest = sum(int(rows[name]["Request Count"]) for name in slow)
    return {
        "claim": f"a province: {asked.officers} officers, {asked.citizens:,} citizens, {asked.departments} departments, "
        f"{asked.seconds} s, PostgreSQL, {os.cpu_count()} cores",
        "requests": int(total["Request Count"]),
        "per_second": round(float(total["Requests/s"]), 1),
        "p50_ms": int(total["50%"]),
        "p95_ms": int(total["95%"]),
        "p99_ms": int(total["99%"]),
        "pages_of_kinds_over_the_limit": f"{slowest} of {counted}",
        "errors": int(total["Failure Count"]),
        "first_errors": faults[:5],
        "memory_mib": {"third": third, "end": memory[-1] if memory else 0, "most": max(memory, default=0)},
        "server_cpu_s": round(used, 1),
        "load": round(os.getloadavg()[0], 1),
        "kinds": {
            name: {"n": int(rows[name]["Request Count"]), "p95_ms": int(rows[name]["95%"])} for name in kinds
        },
    }


def main() -> None:
    reader = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    reader.add_argument("--seconds", type=int, default=900)
    reader.add_argument("--officers", type=int, default=200)
    reader.add_argument("--citizens", type=int, default=2000)
    reader.add_argument("--departments", type=int, default=50)
    reader.add_argument("--history", type=int, default=200_000, help="closed warnings of former years")
    reader.add_argument("--workers", type=int, default=2)
    reader.add_argument("--prepare", metavar="FILE", help=argparse.SUPPRESS)
    asked = reader.parse_args()
    if asked.prepare:
        made = office(asked.history, asked.officers, asked.departments)
        Path(asked.prepare).write_text(json.dumps(made), encoding="utf-8")
        return
    python = peer_python("locust")
    if python is None:
        raise SystemExit("locust could not be installed; set DOUDI_LOCUST_PYTHON to a Python that has it")
    with tempfile.TemporaryDirectory(prefix="doudi-province-") as scratch:
        home, told = Path(scratch), Path(scratch) / "office.json"
        database("create")
        subprocess.run(
            [
                sys.executable, "-m", "benchmarks.load_province", "--prepare", str(told), "--history", str(asked.history),
                "--officers", str(asked.officers), "--departments", str(asked.departments),
            ],
            env=environment(scratch), check=True, cwd=ROOT, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        # the citizens come from addresses of their own, as they would through the province's proxy
        server = serve(scratch, asked.workers, DOUDI_PROXIES="1")
        over = threading.Event()
        try:
            memory = watch(server.pid, over)
            done = subprocess.run(
                [
                    python, "-m", "locust", "-f", "benchmarks/province_at_work.py", "--headless", "--only-summary",
                    "--users", str(asked.officers + asked.citizens + asked.departments), "--spawn-rate", "500",
                    "--run-time", f"{asked.seconds}s", "--host", f"http://127.0.0.1:{PORT}", "--csv", str(home / "run"),
                    "--loglevel", "WARNING",
                ],
                cwd=ROOT, capture_output=True, text=True, check=False,
                env=environment(scratch)
                | {
                    "DOUDI_LOAD_OFFICE": str(told),
                    "DOUDI_LOAD_PEOPLE": f"{asked.officers},{asked.citizens},{asked.departments}",
                    "DOUDI_LOAD_BEGIN_WITHIN": str(min(30, asked.seconds / 8)),
                },
            )  # fmt: skip
            used = processor_seconds(server.pid)
        finally:
            over.set()
            server.terminate()
            server.wait(20)
        if not (home / "run_stats.csv").exists():
            raise SystemExit(done.stderr[-3000:])
        figures = report(home, asked, memory, used)
    database("drop")
    print(json.dumps(figures, ensure_ascii=False), flush=True)
    grown = figures["memory_mib"]["end"] > figures["memory_mib"]["third"] * GROWTH
    sys.exit(bool(figures["errors"] or figures["p95_ms"] >= LIMIT_MS or grown))


if __name__ == "__main__":
    main()
