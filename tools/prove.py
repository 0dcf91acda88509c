"""Run every proof of ``docs/reference/assurance.md`` and say what each took: ``python tools/prove.py [name …]``.

A proof is a test or a command that fails when its promise does not hold. What needs a service or a browser that is not
there says so and counts as not proven, never as proven.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "benchmarks" / "out" / "prove.json"


@dataclass(frozen=True)
class Proof:
    """A promise by its name in the table, the tests that show it, and the settings that make them run in full."""

    name: str
    tests: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)


ROUNDS = os.environ.get("ROUNDS", "60")
PROOFS = (
    Proof("access", ("tests/web/test_every_route_has_a_policy.py", "tests/api/test_every_role_and_operation.py")),
    Proof("accounts", ("tests/contexts/test_coming_in.py", "tests/contexts/test_own_files_in_every_room.py",
                       "tests/web/test_my_account.py", "tests/web/test_signing_in.py", "tests/web/test_single_sign_on.py")),
    Proof("api-keys", ("tests/api/test_keys.py",)),
    Proof("encryption", ("tests/house/test_the_key_ring.py", "tests/contexts/test_changing_keys.py")),
    Proof("audit", ("tests/contexts/test_the_audit_chain.py", "tests/contexts/test_who_looked_and_why.py")),
    Proof("privacy", ("tests/web/test_personal_data_pages.py",)),
    Proof("exports", ("tests/contexts/test_lists_and_exports.py", "tests/house/test_a_locked_workbook.py")),
    Proof("upgrade", ("tests/cli/test_an_office_of_the_version_before.py",)),
    Proof("backup", ("tests/house/test_a_backup.py", "tests/cli/test_backup_and_restore.py"), settings={"DOUDI_DRILL": "1"}),
    Proof("doctor", ("tests/cli/test_the_doctor.py",)),
    Proof("faults", ("tests/faults",), options=("--rounds", ROUNDS)),
    Proof("hostile-pages", ("tests/web/test_hostile_words.py",), settings={"DOUDI_HOSTILE": "1"}),
    Proof(
        "hostile-api", ("tests/api/test_the_description.py", "tests/api/test_problems.py"),
        settings={"DOUDI_API_EXAMPLES": os.environ.get("DOUDI_API_EXAMPLES", "3")},
    ),
    Proof("hostile-files", ("tests/engine/feeds/test_files_that_mean_harm.py", "tests/engine/packs/test_hostile_packs.py")),
    Proof("fuzz", command=(sys.executable, "-m", "tests.fuzz.run", "--seconds", os.environ.get("FUZZ_SECONDS", "20"))),
    Proof("load", command=(sys.executable, "-m", "benchmarks.load_province", "--seconds", os.environ.get("LOAD_SECONDS", "120"))),
    Proof("logs", ("tests/web/test_lines_of_the_log.py",)),
    Proof("dependencies", command=(sys.executable, "tools/dependency_audit.py")),
)  # fmt: skip


def prove(proof: Proof) -> dict[str, object]:
    """Run one proof: how it ended, how many tests, and how long it took."""
    begun = time.monotonic()
    command = proof.command or (sys.executable, "-m", "pytest", "-q", *proof.options, *proof.tests)
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **proof.settings}, capture_output=True, text=True, check=False
    )
    said = done.stdout.strip().splitlines()
    counted = dict.fromkeys(("passed", "skipped", "failed"), 0)
    if rounds := re.search(r"^faults: (\d+) rounds", done.stdout, re.MULTILINE):
        counted["rounds"] = int(rounds[1])
    for number, word in re.findall(r"(\d+) (passed|skipped|failed)", said[-1] if said else ""):
        counted[word] = int(number)
    if done.returncode:
        print("\n".join(said[-40:]), file=sys.stderr)
    return {
        "name": proof.name,
        "holds": done.returncode == 0,
        **counted,
        "seconds": round(time.monotonic() - begun, 1),
    }


def main(names: list[str]) -> None:
    unknown = set(names) - {proof.name for proof in PROOFS}
    if unknown:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(proof.name for proof in PROOFS)}")
    results = []
    for proof in PROOFS:
        if not names or proof.name in names:
            result = prove(proof)
            results.append(result)
            print(
                f"{'holds' if result['holds'] else 'FAILS':6} {proof.name:14} {result['passed']:>5} passed "
                f"{result['skipped']:>3} skipped {result['seconds']:>8} s"
                + (f" {result['rounds']} rounds" if "rounds" in result else ""),
                flush=True,
            )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    sys.exit(not all(result["holds"] for result in results))


if __name__ == "__main__":
    main(sys.argv[1:])
