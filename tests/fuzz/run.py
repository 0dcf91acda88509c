"""Fuzz every parser for some seconds: ``python -m tests.fuzz.run [--seconds 60] [name …]``; exit 1 where one is found wanting.

atheris comes into an environment of its own (``benchmarks/requirements-peers.txt``, or ``DOUDI_ATHERIS_PYTHON``) and reads the
product's packages from this one. What broke a parser stays in ``benchmarks/out/fuzz``.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

from benchmarks.measuring import peer_python, site_packages
from benchmarks.population import OUT, ROOT
from tests.fuzz.targets import TARGETS


def fuzz(name: str, python: str, seconds: int) -> dict[str, object]:
    """One parser: whether it held, on how many inputs, and what was said last where not."""
    kept = OUT / "fuzz"
    kept.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="doudi-fuzz-") as corpus:
        done = subprocess.run(
            [
                python, "-m", "tests.fuzz.targets", name, corpus, f"-max_total_time={seconds}", "-max_len=8192", "-timeout=20",
                "-rss_limit_mb=2048", "-seed=20241115", f"-artifact_prefix={kept / name}-",
            ],
            cwd=ROOT, capture_output=True, text=True, check=False,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "src", ROOT, *site_packages()))),
                "DJANGO_SETTINGS_MODULE": "doudi.house.settings",
                "DOUDI_HOME": corpus,
                "TMPDIR": corpus,
            },
        )  # fmt: skip
    said = done.stdout + done.stderr
    runs = re.findall(r"^#(\d+)", said, re.M)
    return {
        "holds": done.returncode == 0,
        "inputs": int(runs[-1]) if runs else 0,
        "seconds": round(time.monotonic() - begun),
        "said": "" if done.returncode == 0 else said[-4000:],
    }


def main() -> None:
    reader = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    reader.add_argument("--seconds", type=int, default=60)
    reader.add_argument("names", nargs="*", choices=[[], *TARGETS])
    asked = reader.parse_args()
    python = peer_python("atheris")
    if python is None:
        sys.exit(
            "atheris could not be installed; set DOUDI_ATHERIS_PYTHON to a Python of this version that has it"
        )
    failed = 0
    for name in asked.names or TARGETS:
        found = fuzz(name, python, asked.seconds)
        failed += not found["holds"]
        print(
            f"{'holds' if found['holds'] else 'FAILS':6} {name:10} {found['inputs']:>9} inputs {found['seconds']:>5} s",
            flush=True,
        )
        if found["said"]:
            print(found["said"], file=sys.stderr)
    print(f"{failed} failed, {len(asked.names or TARGETS) - failed} passed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
