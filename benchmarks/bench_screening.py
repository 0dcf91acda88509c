"""Claims on screening, each with its peer in the same run.

    python -m benchmarks.bench_screening --persons 1e6
    python -m benchmarks.bench_screening --persons 8e6 --parts resolved strings explain spark

resolved   resolved snapshots to changes and warnings; peer: a scan of the same Parquet columns, nothing computed
strings    department tables with identity numbers and names to changes and warnings; peer: a scan of their columns
openfisca  the pack's values beside OpenFisca-core's build and calculation, compared to the fen; both start
           from the same resolved department files (OpenFisca has no joins: pandas reads and joins for it)
explain    one household explained in a warm process; peer: OpenFisca with trace on one household
compile    a pack of 200 variables from its model to SQL
spark      the same query on Spark local[2]; every row compared

Each part runs in a process of its own, so that its peak memory is its own. Seconds are wall time on a machine
that may be busy; processor seconds stand beside them.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from benchmarks import peer_names as names
from benchmarks.measuring import OUT, Row, in_a_process, peer_python, site_packages, timed
from benchmarks.population import AS_OF, REFERENCE, population
from doudi.engine.feeds import SnapshotSet, load_feed_specs
from doudi.engine.feeds.bulk import resolve_bulk
from doudi.engine.packs import Pack, compile_pack, load_pack
from doudi.engine.packs.relations import parameter_table
from doudi.engine.screening import Explainer, screen
from doudi.engine.screening.running import open_snapshots, prepare

Answer = dict[str, Any]
_OPENFISCA_PERSONS, _SPARK_PERSONS = 1_000_000, 8_000_000


def snapshots(folder: Path) -> SnapshotSet:
    feeds = {path.stem: (path,) for path in sorted(folder.glob("*.parquet"))}
    return SnapshotSet(AS_OF, folder / "register", feeds, {}, f"benchmark {folder}")


def _fresh(name: str) -> Path:
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _scan(files: dict[str, tuple[list[Path], list[str]]]) -> None:
    """Read every column once for its greatest value (a count would be answered from the footers alone)."""
    with duckdb.connect(config={"threads": 2}) as connection:
        for paths, columns in files.values():
            greatest = ", ".join(f'max("{column}")' for column in columns)
            listed = ", ".join(f"'{path}'" for path in paths)
            connection.execute(f"SELECT {greatest} FROM read_parquet([{listed}])").fetchall()


def _columns_read(pack: Pack, shots: SnapshotSet) -> dict[str, tuple[list[Path], list[str]]]:
    columns = compile_pack(pack, on=AS_OF).feed_columns
    read = {
        feed: (list(shots.feeds[feed]), ["household_key", "person_key", *columns[feed]])
        for feed in columns
        if feed in shots.feeds
    }
    own = columns.get("household_register", ())
    read["members"] = ([shots.register / "members.parquet"], ["household_key", "person_key", *own])
    facts = ["household_key", "household_no", "region_code", "urban_rural", "category", "persons"]
    read["households"] = ([shots.register / "households.parquet"], facts)
    return read


def _warned(folder: Path) -> tuple[int, int]:
    with duckdb.connect(config={"threads": 2}) as connection:
        sql = f"SELECT count(*) FILTER (warnings <> ''), count(*) FILTER (change <> 'same') FROM '{folder}/part-*.parquet'"
        return connection.execute(sql).fetchall()[0]


def part_resolved(persons: int) -> Answer:
    shots = snapshots(population(persons) / "resolved")
    pack = load_pack(REFERENCE)
    to = _fresh("screen-resolved")
    result, product = timed(lambda: screen(pack, shots, to=to))
    _, peer = timed(lambda: _scan(_columns_read(pack, shots)))
    warned, changed = _warned(to)
    return {
        "persons": result.persons, "households": result.households, "warned": warned, "changed": changed,
        "seconds": product.seconds, "cpu_seconds": product.cpu_seconds, "peak_mib": product.peak_mib,
        "scan_seconds": peer.seconds, "scan_cpu_seconds": peer.cpu_seconds, "files": len(result.files),
    }  # fmt: skip


def part_strings(persons: int) -> Answer:
    sent = population(persons) / "departments"
    parts = {folder.name: sorted(folder.glob("*.parquet")) for folder in sorted(sent.iterdir())}
    read = {feed: (files, _all_columns(files)) for feed, files in parts.items()}
    register = parts.pop("household_register")
    specs, pack = load_feed_specs(REFERENCE / "feeds"), load_pack(REFERENCE)
    folder, to = _fresh("resolved-in-bulk"), _fresh("screen-strings")
    done, resolving = timed(lambda: resolve_bulk(specs, register, parts, folder, key=b"benchmark"))
    result, screening = timed(lambda: screen(pack, snapshots(folder), to=to))
    _, peer = timed(lambda: _scan(read))
    warned, changed = _warned(to)
    shutil.rmtree(folder)
    return {
        "persons": done.persons, "rows": sum(g.a + g.b + g.c + g.not_registered for g in done.grades.values()),
        "seconds": round(resolving.seconds + screening.seconds, 3), "resolving_seconds": resolving.seconds,
        "cpu_seconds": round(resolving.cpu_seconds + screening.cpu_seconds, 3),
        "resolving_cpu_seconds": resolving.cpu_seconds, "peak_mib": screening.peak_mib, "resolving_peak_mib": resolving.peak_mib,
        "scan_seconds": peer.seconds, "scan_cpu_seconds": peer.cpu_seconds, "warned": warned, "changed": changed,
        "households": result.households,
    }  # fmt: skip


def _all_columns(files: list[Path]) -> list[str]:
    with duckdb.connect() as connection:
        return [str(row[0]) for row in connection.execute(f"DESCRIBE FROM '{files[0]}'").fetchall()]


def part_explain(persons: int) -> Answer:
    explainer = Explainer(load_pack(REFERENCE), snapshots(population(persons) / "resolved"))
    with duckdb.connect() as connection:
        path = explainer.snapshots.register / "households.parquet"
        households = connection.execute(f"SELECT max(household_key) + 1 FROM '{path}'").fetchall()[0][0]
    draw = random.Random(7)
    explainer.explain_key(0)
    cold, warm = [], []
    for key in (draw.randrange(households) for _ in range(40)):
        for taken in (cold, warm, warm, warm, warm, warm):
            began = time.perf_counter()
            explainer.explain_key(key)
            taken.append((time.perf_counter() - began) * 1000)
    _, usage = timed(explainer.close)
    return {
        "persons": persons, "warm_p50_ms": _at(warm, 0.5), "warm_p99_ms": _at(warm, 0.99), "cold_p50_ms": _at(cold, 0.5),
        "cold_p99_ms": _at(cold, 0.99), "peak_mib": usage.peak_mib,
    }  # fmt: skip


def _at(values: list[float], share: float) -> float:
    return round(sorted(values)[min(len(values) - 1, int(len(values) * share))], 2)


def part_compile(_persons: int) -> Answer:
    with tempfile.TemporaryDirectory() as folder:
        wide = Path(folder) / "wide"
        shutil.copytree(REFERENCE, wide)
        own = len(load_pack(REFERENCE).variables)
        rules, case = _more_variables(200 - own)
        (wide / "rules" / "90-wide.yaml").write_text(rules, encoding="utf-8")
        (wide / "cases" / "wide.yaml").write_text(case, encoding="utf-8")
        pack, loading = timed(lambda: load_pack(wide))
    taken = []
    for _ in range(7):
        compiled, usage = timed(lambda: compile_pack(pack, on=AS_OF))
        taken.append(usage)
        text = compiled.sql()
    best = sorted(taken, key=lambda usage: usage.seconds)
    return {
        "variables": len(pack.variables), "compile_ms": round(best[3].seconds * 1000, 1), "best_ms": round(best[0].seconds * 1000, 1),
        "cpu_ms": round(best[3].cpu_seconds * 1000, 1), "load_ms": round(loading.seconds * 1000, 1), "sql_kib": len(text) // 1024,
    }  # fmt: skip


def _more_variables(count: int) -> tuple[str, str]:
    """Sums over windows of months, their sums over the members, and comparisons of these; and a case for them."""
    lines, expected = ["变量:"], {}
    for i in range(count):
        kind, months = i % 3, 1 + i // 3 % 24
        if kind == 0 and i < count - 1:
            body = f"对象: 人员\n    类型: 金额\n    单位: 元/年\n    公式: 合计(医疗结算.个人自付, 近月(结算日期, {months}))"
        elif kind < 2:
            of = i - 1 if kind else i - 3
            body = f"对象: 家庭\n    类型: 金额\n    单位: 元/年\n    公式: 成员合计(加试{of}, 计入人口)"
            expected[f"加试{i}"] = "0元"
        else:
            body = f"对象: 家庭\n    类型: 是否\n    公式: 加试{i - 1} > 人均可支配收入 × 家庭人口"
            expected[f"加试{i}"] = "否"
        lines.append(f"  加试{i}:\n    依据: 参考规则 刚性支出\n    {body}")
    told = ", ".join(f"{name}: {value}" for name, value in expected.items())
    case = (
        f"例:\n  - {{名: 加试, 城乡: 城镇, 日: 2024-11-15, 成员: [{{与户主关系: 户主}}], 应为: {{{told}}}}}\n"
    )
    return "\n".join(lines) + "\n", case


def part_openfisca(persons: int) -> Answer:
    persons = min(persons, _OPENFISCA_PERSONS)
    python = peer_python("openfisca")
    if python is None:
        return {"absent": "openfisca-core could not be installed"}
    shots, pack = snapshots(population(persons) / "resolved"), load_pack(REFERENCE)
    to = _fresh("screen-openfisca")
    _, product = timed(lambda: screen(pack, shots, to=to))
    inputs, values, table = (
        OUT / f"openfisca-{name}" for name in ("inputs.npz", "values.npz", "numbers.parquet")
    )
    ours = _openfisca_inputs(pack, shots, table)
    folder = str(shots.register.parent)
    peer = in_a_process(
        "benchmarks.peer_openfisca", folder, str(table), str(inputs), str(values), python=python
    )
    theirs = dict(np.load(inputs))
    apart = {name: int((ours[name] != theirs[name]).sum()) for name in ours}
    return {
        "persons": persons, "seconds": product.seconds, "cpu_seconds": product.cpu_seconds,
        "peer_cpu": peer["cpu"], "peer_preparing": peer["preparing"], "peer_building": peer["building"],
        "peer_calculating": peer["calculating"],
        "differences": _differences(to, dict(np.load(values))), "inputs_apart": {k: v for k, v in apart.items() if v},
        "peer_explain_p50_ms": peer["explain_p50_ms"], "peer_explain_p99_ms": peer["explain_p99_ms"],
    }  # fmt: skip


def _openfisca_inputs(pack: Pack, shots: SnapshotSet, numbers: Path) -> dict[str, np.ndarray]:
    """What our own query finds for each person and household; the pack's numbers by region go to a file."""
    with open_snapshots(pack, shots) as connection:
        prepared = prepare(connection, pack, shots)
        connection.register("parameters", parameter_table(prepared.compiled, prepared.pairs))
        columns = ", ".join(f"{sql} AS {name}" for name, sql in names.PARAMETERS.items())
        connection.execute(f"COPY (SELECT {columns} FROM parameters) TO '{numbers}' (FORMAT parquet)")

        def ask(select: str, wanted: dict[str, str]) -> dict[str, np.ndarray]:
            sql = prepared.compiled.sql(select=select).replace("$lo", "0").replace("$hi", str(2**40))
            columns = ", ".join(f"{sql_of} AS {name}" for name, sql_of in wanted.items())
            order = "household_key, person_key" if select == "persons" else "household_key"
            return dict(connection.execute(f"SELECT {columns} FROM ({sql}) ORDER BY {order}").fetchnumpy())

        found = ask("persons", names.PERSON_INPUTS) | ask("trace", names.HOUSEHOLD_INPUTS)
    for name, values in found.items():
        if values.dtype != bool:
            assert name == "household" or int(values.max()) < 2**31, f"{name} does not fit OpenFisca's int"
            found[name] = values.astype(np.int64 if name == "household" else np.int32)
    return found


def _differences(folder: Path, theirs: dict[str, np.ndarray]) -> int:
    """Cells that are not equal: figures to the fen, categories, and every warning."""
    with duckdb.connect() as connection:
        ours = connection.execute(
            f"SELECT * FROM '{folder}/part-*.parquet' ORDER BY household_key"
        ).fetchnumpy()
    ranks = np.vectorize({"NONE": 0, "GX": 1, "BY": 2, "DB": 3, "TK": 4}.__getitem__)
    pairs = [(ours[one], theirs[two]) for one, two in names.FIGURES.items()]
    pairs.append((ranks(ours["category"]), theirs["category"]))
    raised = np.char.add(np.char.add(";", ours["warnings"].astype(str)), ";")
    pairs += [(np.char.find(raised, f";{code};") >= 0, theirs[code]) for code in names.WARNINGS]
    return int(sum((np.asarray(one) != two).sum() for one, two in pairs))


def part_spark(persons: int) -> Answer:
    persons = min(persons, _SPARK_PERSONS)
    python = peer_python("spark")
    if python is None or shutil.which("java") is None:
        return {"absent": "pyspark or Java"}
    shots, pack = snapshots(population(persons) / "resolved"), load_pack(REFERENCE)
    to, other = _fresh("screen-duckdb"), _fresh("screen-spark")
    _, product = timed(lambda: screen(pack, shots, to=to))
    peer = in_a_process(
        "benchmarks.peer_spark", str(shots.register.parent), str(other), python=python, path=site_packages()
    )
    with duckdb.connect(config={"threads": 2, "memory_limit": "2GB"}) as connection:
        one, two = (f"(FROM read_parquet('{folder}/part-*.parquet'))" for folder in (to, other))
        sql = f"SELECT (SELECT count(*) FROM ({one} EXCEPT ALL {two})) + (SELECT count(*) FROM ({two} EXCEPT ALL {one}))"
        differences = connection.execute(sql).fetchall()[0][0]
    return {
        "persons": persons, "seconds": product.seconds, "cpu_seconds": product.cpu_seconds, "peer_seconds": peer["seconds"],
        "peer_query_seconds": peer["query_seconds"], "differences": differences,
    }  # fmt: skip


PARTS: dict[str, Callable[[int], Answer]] = {
    "resolved": part_resolved, "strings": part_strings, "openfisca": part_openfisca, "explain": part_explain,
    "compile": part_compile, "spark": part_spark,
}  # fmt: skip


# ---- the table -----------------------------------------------------------------------------------------------


def _count(persons: int) -> str:
    return f"{persons / 1e6:g} M" if persons >= 1e6 else f"{persons:,}"


def _times(peer: float, product: float) -> str:
    return f"{peer / product:.2g}×" if peer < product else f"{peer / product:.1f}×"


def rows(persons: int, parts: list[str]) -> list[tuple[Row, Answer]]:
    """Measure the parts and say what came out; a part that cannot run says why in its row."""
    found: list[tuple[Row, Answer]] = []
    compared: Answer = {}
    for part in parts:
        population(persons)
        command = f"python -m benchmarks.bench_screening --persons {persons} --parts {part}"
        a = in_a_process("benchmarks.bench_screening", "--persons", str(persons), "--part", part)
        compared = a if part == "openfisca" else compared
        found.append((_row(part, command, a, compared), a))
    return found


def _row(part: str, command: str, a: Answer, compared: Answer) -> Row:
    if "absent" in a:
        return Row(f"{part}: not run", command, "", f"absent: {a['absent']}", "")
    if part in ("resolved", "strings"):
        source = (
            "resolved snapshots"
            if part == "resolved"
            else f"{a['rows'] / 1e6:.1f} M string-keyed department rows"
        )
        spent = f"{a['seconds']:.1f} s, {a['cpu_seconds']:.0f} processor s, {a['peak_mib'] / 1024:.2f} GiB"
        if part == "strings":
            spent += f" (resolving {a['resolving_seconds']:.1f} s)"
        peer = f"Parquet scan {a['scan_seconds']:.2f} s, {a['scan_cpu_seconds']:.1f} processor s"
        multiple = f"{a['seconds'] / a['scan_seconds']:.1f}× the scan"
        return Row(
            f"{_count(a['persons'])} persons, {source} → changes and warnings", command, spent, peer, multiple
        )
    if part == "openfisca":
        steps = [a["peer_preparing"], a["peer_building"], a["peer_calculating"]]
        theirs = sum(steps)
        told = "reading and joining {:.1f}, building {:.1f}, calculating {:.1f}".format(*steps)
        peer = f"pandas and OpenFisca-core {theirs:.1f} s, {a['peer_cpu']:.1f} processor s ({told})"
        ratio = (
            f"{_times(theirs, a['seconds'])} ({_times(a['peer_cpu'], a['cpu_seconds'])} in processor time)"
        )
        claim = f"{_count(a['persons'])} persons from department files, same values; {a['differences']} cells differ"
        spent = f"{a['seconds']:.1f} s, {a['cpu_seconds']:.1f} processor s, result written"
        return Row(claim, command, spent, peer, ratio)
    if part == "explain":
        ours = f"p50 {a['warm_p50_ms']} ms, p99 {a['warm_p99_ms']} ms (first of a block p99 {a['cold_p99_ms']} ms)"
        peer, ratio = "", ""
        if "peer_explain_p50_ms" in compared:
            theirs = f"p50 {compared['peer_explain_p50_ms']} ms, p99 {compared['peer_explain_p99_ms']} ms"
            peer = f"OpenFisca, one household with trace: {theirs}"
            ratio = _times(compared["peer_explain_p50_ms"], a["warm_p50_ms"])
        return Row(
            f"one household explained, warm, {_count(a['persons'])} persons", command, ours, peer, ratio
        )
    if part == "compile":
        return Row(
            f"{a['variables']} variables compiled", command, f"{a['compile_ms']} ms (reading the pack {a['load_ms']:.0f} ms)", "–", ""
        )  # fmt: skip
    claim = f"{_count(a['persons'])} persons on one machine; {a['differences']} rows differ"
    peer = f"Spark local[2] {a['peer_seconds']:.1f} s with starting, {a['peer_query_seconds']:.1f} s without"
    return Row(claim, command, f"{a['seconds']:.1f} s", peer, _times(a["peer_query_seconds"], a["seconds"]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--persons", type=float, default=1e5)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--part", choices=PARTS, help="measure in this process and print JSON")
    options = parser.parse_args()
    persons = round(options.persons)
    if options.part:
        print(json.dumps(PARTS[options.part](persons)))
        return
    for row, answer in rows(persons, options.parts):
        print(json.dumps(row.to_json() | {"measured": answer}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
