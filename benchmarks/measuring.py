"""Running one measurement in a process of its own, and the environments that peers need."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.population import OUT, ROOT

_PACKAGES = {
    "atheris": ("atheris",),
    "locust": ("locust",),
    "openfisca": ("openfisca-core", "pandas", "pyarrow"),
    "recordlinkage": ("recordlinkage", "pandas"),
    "spark": ("pyspark",),
}
REQUIREMENTS = ROOT / "benchmarks" / "requirements-peers.txt"


@dataclass(frozen=True)
class Row:
    """One line of the table: a claim, how to repeat it, what the product and the peer took, and their ratio."""

    claim: str
    command: str
    product: str
    peer: str
    ratio: str
    machine: str = ""

    def to_json(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Usage:
    """Wall seconds, processor seconds of all threads, and the highest resident memory of the process so far."""

    seconds: float
    cpu_seconds: float
    peak_mib: int


def timed(work: Callable[[], Any]) -> tuple[Any, Usage]:
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    result = work()
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return result, Usage(round(seconds, 3), round(cpu, 3), after.ru_maxrss // 1024)


def in_a_process(
    module: str, *arguments: str, python: str = sys.executable, path: Sequence[Path] = ()
) -> dict[str, Any]:
    """Run ``python -m module …`` and take the last line it prints as JSON; memory is then that part's alone."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "src", *path)))}
    done = subprocess.run(
        [python, "-m", module, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)}:\n{done.stderr[-3000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def peer_python(name: str) -> str | None:
    """A Python that has the peer: DOUDI_<NAME>_PYTHON, or an environment made once under benchmarks/out."""
    given = os.environ.get(f"DOUDI_{name.upper()}_PYTHON")
    if given:
        return given
    folder = OUT / f"peer-{name}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        wanted = [line for line in REQUIREMENTS.read_text().split() if line.split("==")[0] in _PACKAGES[name]]
        try:
            venv.create(folder, with_pip=True, clear=True)
            subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        (folder / "ready").touch()
    return str(python)


def site_packages() -> list[Path]:
    """This environment's packages, for a peer's Python of the same version."""
    return [Path(p) for p in sys.path if p.endswith("site-packages")]


def machine() -> str:
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} × {model}, {memory:.0f} GiB, Python {platform.python_version()}, load {load:.1f}"
    )
