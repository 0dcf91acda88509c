"""The peer: the same compiled query on Spark local[2], run in an environment that has pyspark.

python -m benchmarks.peer_spark RESOLVED_FOLDER RESULT_FOLDER
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from benchmarks.bench_screening import snapshots
from benchmarks.population import REFERENCE
from doudi.engine.packs import load_pack
from doudi.engine.screening import screen


def main() -> None:
    from pyspark.sql import SparkSession

    shots, pack = snapshots(Path(sys.argv[1])), load_pack(REFERENCE)
    began = time.perf_counter()
    # started here, so that the query can be timed without the virtual machine's start
    SparkSession.builder.master("local[2]").config("spark.driver.memory", "6g").config(
        "spark.driver.host", "127.0.0.1"
    ).config("spark.driver.bindAddress", "127.0.0.1").config("spark.ui.enabled", "false").getOrCreate().sql(
        "SELECT 1"
    ).collect()
    started = time.perf_counter()
    screen(pack, shots, to=Path(sys.argv[2]), engine="spark", master="local[2]")
    ended = time.perf_counter()
    print(json.dumps({"seconds": round(ended - began, 3), "query_seconds": round(ended - started, 3)}))


if __name__ == "__main__":
    main()
