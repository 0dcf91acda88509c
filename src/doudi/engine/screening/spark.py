"""The second engine: the same compiled query on a province's Spark cluster.

In come a compiled pack and snapshots that every worker can read (a shared file system); out come the same result
files that the first engine writes. SQLGlot writes the query in Spark's dialect; nothing is computed in Python. The extra
``spark`` brings pyspark, Java 17 or newer must be there.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from doudi.engine.errors import DoudiError
from doudi.engine.packs.compiling import CompiledPack
from doudi.engine.packs.terms import REGISTER

if TYPE_CHECKING:
    from doudi.engine.feeds import SnapshotSet

_HOUSEHOLDS_PER_PARTITION = 100_000
_LOOPBACK = ("127.0.0.1", "localhost")


class SparkUnavailable(DoudiError):
    """pyspark or Java is absent, the master does not answer, or the cluster gave the work up."""

    code = "spark_unavailable"


def write_with_spark(
    compiled: CompiledPack,
    snapshots: SnapshotSet,
    parameters: pa.Table,
    *,
    households: int,
    to: Path,
    master: str | None,
    settings: Mapping[str, str] | None = None,
) -> list[str]:
    """Run the query over all households and write ``part-…parquet`` into ``to``, in household order.

    ``master`` is a Spark master URL (``spark://host:7077``, ``local[2]``); None takes all cores of this machine.
    ``settings`` are Spark's own (``spark.executor.memory`` …). Returns the names of the files.
    """
    work = to / "tmp" / "spark"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    table = work / "parameters.parquet"
    pq.write_table(parameters, table)
    try:
        partitions = max(2, min(400, households // _HOUSEHOLDS_PER_PARTITION))
        own = {"spark.sql.shuffle.partitions": str(partitions), **(settings or {})}
        with _session(master or "local[*]", work, own) as spark:
            spark.read.parquet(str(table)).createOrReplaceTempView("parameters")
            for relation in ("members", "households"):
                spark.read.parquet(str(snapshots.register / f"{relation}.parquet")).createOrReplaceTempView(
                    relation
                )
            for feed, paths in snapshots.feeds.items():
                if feed in compiled.pack.feeds and feed != REGISTER and paths:
                    rows = spark.read.parquet(*map(str, paths))
                    # rows of an event feed add up over its files; the same event sent twice is one
                    if compiled.pack.feeds[feed].kind == "event" and len(paths) > 1:
                        rows = rows.distinct()
                    rows.createOrReplaceTempView(f"feed_{feed}")
            found = spark.sql(compiled.sql("spark"), args={"lo": 0, "hi": households})
            found.write.option("compression", "zstd").parquet(str(work / "result"))
    except DoudiError:
        raise
    except Exception as error:  # py4j and pyspark share no base class
        raise SparkUnavailable(
            f"Spark 没有算完: {_first_line(error)}",
            f"Spark did not finish: {_first_line(error)}",
            retry=True,
        ) from error
    files = []
    for number, path in enumerate(sorted((work / "result").glob("part-*.parquet"))):
        files.append(f"part-{number:05d}.parquet")
        path.replace(to / files[-1])
    return files


@contextmanager
def _session(master: str, work: Path, settings: Mapping[str, str]) -> Iterator[Any]:
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise SparkUnavailable(
            "没有安装 pyspark: 请运行 pip install 'doudi[spark]', 并安装 Java 17 或更新版本; 或者不加 --engine spark",
            "pyspark is not installed: pip install 'doudi[spark]' and Java 17 or newer, or leave --engine spark out",
        ) from error
    given: dict[str, str] = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # the plan has some forty exchanges; to plan anew after each costs more than what is learnt
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.local.dir": str(work / "local"),
        "spark.sql.warehouse.dir": str(work / "warehouse"),
    }
    if master.startswith("local") or urlsplit(master).hostname in _LOOPBACK:
        given |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    builder = SparkSession.builder.master(master).appName("doudi screen")
    for key, value in {**given, **settings}.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    try:
        yield session
    finally:
        session.stop()


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
