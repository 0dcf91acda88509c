"""All benchmarks: ``python -m benchmarks [--scale 80e6]`` prints one Markdown table and writes benchmarks/out/results.json."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path

from benchmarks import bench_screening
from benchmarks.measuring import OUT, ROOT, Row, machine

SMALL = 100_000
HERE = Path(__file__).parent
_OWN_ARGUMENTS = {
    # claims of other rooms print JSON lines of their own; small by default
    "bench_funds": (["--entries", "20000"], []),
    "bench_matching": (["--small"], []),
    "bench_siting": (["--only", "coverage 2000x500"], []),
    "bench_linkage": (["--persons", "4000", "--large", "0"], []),
    "bench_till": (["--sites", "10", "--diners", "10", "--minutes", "0.5"], []),
    "bench_verification": (["--persons", "100000", "--households", "20"], []),
    "bench_routing": (["--seconds", "2", "--large-seconds", "10", "--stops", "200"], []),
}


def others(*, small: bool) -> list[Row]:
    """The other files of this folder, each run as a program that prints one JSON object a line."""
    found = []
    for path in sorted(HERE.glob("bench_*.py")):
        if path.stem == "bench_screening":
            continue
        arguments = _OWN_ARGUMENTS.get(path.stem, ([], []))[0 if small else 1]
        command = shlex.join(["python", "-m", f"benchmarks.{path.stem}", *arguments])
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{path.stem}", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or ["no message"]
            found.append(Row(f"{path.stem}: failed", command, last[0][:200], "", ""))
            continue
        for line in done.stdout.splitlines():
            if line.startswith("{"):
                found.append(_told(path.stem, command, json.loads(line)))
    return found


def _told(room: str, command: str, said: dict[str, object]) -> Row:
    if {"claim", "product", "peer", "ratio"} <= said.keys():
        return Row(
            *(str(said[k]) for k in ("claim",)),
            command,
            str(said["product"]),
            str(said["peer"]),
            str(said["ratio"]),
        )
    claim = str(said.get("claim") or said.get("instance") or room)
    facts = "; ".join(f"{k} {v}" for k, v in said.items() if k != "claim" and not isinstance(v, dict | list))
    return Row(f"{room.removeprefix('bench_')}: {claim}", command, facts, "", "")


def table(found: list[Row]) -> str:
    lines = ["| claim | product | peer, same run | ratio |", "|---|---|---|---|"]
    lines += [f"| {row.claim} | {row.product} | {row.peer} | {row.ratio} |" for row in found]
    commands = dict.fromkeys(row.command for row in found)
    return "\n".join([*lines, "", f"Machine: {machine()}.", "", *(f"- `{command}`" for command in commands)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=SMALL, help="persons, e.g. 80e6")
    parser.add_argument("--only-screening", action="store_true")
    options = parser.parse_args()
    persons, small = round(options.scale), options.scale <= SMALL
    measured = bench_screening.rows(persons, list(bench_screening.PARTS))
    found = [row for row, _ in measured]
    if not options.only_screening:
        found += others(small=small)
    told = {"machine": machine(), "persons": persons, "rows": [row.to_json() for row in found]}
    told["measured"] = [answer for _, answer in measured]
    OUT.mkdir(exist_ok=True)
    (OUT / "results.json").write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
