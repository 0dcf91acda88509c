"""The same pack on a Spark cluster: every row of the sample county is DuckDB's.

A standalone master and a worker run on this machine's loopback. pyspark is the extra ``spark``; a virtual environment
that has it can be named by DOUDI_SPARK_PYTHON instead of installing it beside the rest.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from doudi.engine.feeds import SnapshotSet
from doudi.engine.packs import load_pack
from doudi.engine.screening import ScreeningError, read_result, screen, write_export
from doudi.engine.screening.spark import SparkUnavailable
from tests.engine.screening.county import REFERENCE, ROOT, SAMPLE, load_county, without

HERE = importlib.util.find_spec("pyspark") is not None
PYTHON = sys.executable if HERE else os.environ.get("DOUDI_SPARK_PYTHON", "")
needs_spark = pytest.mark.skipif(
    not PYTHON or shutil.which("java") is None,
    reason="没有 pyspark 或 Java / needs pyspark (pip install 'doudi[spark]', or DOUDI_SPARK_PYTHON) and Java",
)
PACK = load_pack(REFERENCE)

_SCREEN = """
import json, sys
from datetime import date
from pathlib import Path
from doudi.engine.feeds import SnapshotSet
from doudi.engine.packs import load_pack
from doudi.engine.screening import screen
from doudi.engine.status import Status
given = json.load(sys.stdin)
snapshots = SnapshotSet(
    as_of=date.fromisoformat(given["as_of"]), register=Path(given["register"]), digest=given["digest"],
    feeds={f: tuple(map(Path, paths)) for f, paths in given["feeds"].items()},
    missing={f: Status(s) for f, s in given["missing"].items()},
)
done = screen(load_pack(Path(given["pack"])), snapshots, to=Path(given["to"]), engine="spark", master=given["master"])
print(json.dumps({"households": done.households, "persons": done.persons, "files": len(done.files)}))
"""


def _free_port() -> int:
    with closing(socket.socket()) as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextmanager
def _started(home: str, role: str, *arguments: str, log: Path) -> Iterator[None]:
    command = [f"{home}/bin/spark-class", f"org.apache.spark.deploy.{role}", *arguments]
    environment = {**os.environ, "SPARK_HOME": home, "SPARK_LOCAL_IP": "127.0.0.1"}
    with log.open("wb") as stream:
        process = subprocess.Popen(command, env=environment, stdout=stream, stderr=stream)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def _await(log: Path, words: str) -> None:
    for _ in range(240):
        if words in log.read_text(errors="replace"):
            return
        time.sleep(0.25)
    pytest.fail(f"{words!r} did not appear in {log}:\n{log.read_text(errors='replace')[-2000:]}")


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> SnapshotSet:
    return load_county(tmp_path_factory.mktemp("county"))


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    found = subprocess.run(
        [PYTHON, "-c", "import pyspark; print(pyspark.__path__[0])"],
        capture_output=True,
        text=True,
        check=True,
    )
    home, folder, port = found.stdout.strip(), tmp_path_factory.mktemp("spark"), _free_port()
    url = f"spark://127.0.0.1:{port}"
    first = ("--host", "127.0.0.1", "--port", str(port), "--webui-port", "0")
    second = (
        "--host",
        "127.0.0.1",
        "--webui-port",
        "0",
        "--cores",
        "2",
        "--memory",
        "1g",
        "--work-dir",
        str(folder),
        url,
    )
    with _started(home, "master.Master", *first, log=folder / "master.log"):
        _await(folder / "master.log", "I have been elected leader")
        with _started(home, "worker.Worker", *second, log=folder / "worker.log"):
            _await(folder / "worker.log", "Successfully registered with master")
            yield url


def _screen_on_spark(snapshots: SnapshotSet, to: Path, master: str) -> dict[str, int]:
    given = {
        "as_of": snapshots.as_of.isoformat(), "register": str(snapshots.register), "digest": snapshots.digest,
        "feeds": {feed: list(map(str, paths)) for feed, paths in snapshots.feeds.items()},
        "missing": {feed: str(status) for feed, status in snapshots.missing.items()},
        "pack": str(REFERENCE), "to": str(to), "master": master,
    }  # fmt: skip
    ours = [str(ROOT / "src"), *(p for p in sys.path if p.endswith("site-packages"))]
    done = subprocess.run(
        [PYTHON, "-c", _SCREEN], input=json.dumps(given), capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(ours), "SPARK_LOCAL_IP": "127.0.0.1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


@needs_spark
def test_every_row_of_the_sample_county_is_the_first_engines(
    county: SnapshotSet, master: str, tmp_path: Path
) -> None:
    screen(PACK, county, to=tmp_path / "duckdb")

    done = _screen_on_spark(county, tmp_path / "spark", master)

    assert done["households"] == 400
    assert list(read_result(tmp_path / "spark")) == list(read_result(tmp_path / "duckdb"))
    write_export(tmp_path / "spark", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == (SAMPLE / "expected.csv").read_bytes()


@needs_spark
def test_what_never_arrived_is_unknown_there_too(county: SnapshotSet, master: str, tmp_path: Path) -> None:
    county = without(county, ["deposit", "custody", "medical"])
    screen(PACK, county, to=tmp_path / "duckdb")

    _screen_on_spark(county, tmp_path / "spark", master)

    rows = list(read_result(tmp_path / "spark"))
    assert rows == list(read_result(tmp_path / "duckdb"))
    assert any(row["category"] == "UNKNOWN" for row in rows)


@pytest.mark.skipif(HERE, reason="pyspark is installed")
def test_without_pyspark_the_clerk_is_told_what_to_install(county: SnapshotSet, tmp_path: Path) -> None:
    with pytest.raises(SparkUnavailable) as refused:
        screen(PACK, county, to=tmp_path / "result", engine="spark", master="local[1]")

    assert "doudi[spark]" in str(refused.value)
    assert not (tmp_path / "result" / "result.json").exists()


def test_an_engine_that_does_not_exist_is_refused(county: SnapshotSet, tmp_path: Path) -> None:
    with pytest.raises(ScreeningError, match="flink"):
        screen(PACK, county, to=tmp_path / "result", engine="flink")
