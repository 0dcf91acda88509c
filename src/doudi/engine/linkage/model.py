"""The model: how alike two records are, comparison by comparison, and how probable it is that they are one person.

The levels below are the only place that says what "alike" means. Splink (Fellegi and Sunter's model, DuckDB) finds and
weighs the pairs of a whole register; the scorer at the window asks the same SQL of a few candidates. What each level
weighs is in ``weights.json``, measured on generated records; a register of its own can be fitted without labels.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb

from doudi.engine.errors import DoudiError
from doudi.engine.linkage.records import KEYS, SWAPPED, PersonRecord, columns_of

_SMALLEST = 1_000
_LEAST_M, _LEAST_U = 1e-3, 1e-6
WEIGHTS = Path(__file__).with_name("weights.json")


class LinkageMissing(DoudiError):
    """Splink, the engine of the search over a whole register, is not installed."""

    code = "linkage_missing"


@dataclass(frozen=True)
class Level:
    """One degree of likeness: the grade's code and when it holds; the first that holds counts."""

    grade: str
    sql: str


def _overlap(share: float) -> str:
    common = "len(list_intersect(address_pieces_l, address_pieces_r))"
    # Dice's coefficient: an address written shorter than the other is not punished twice
    return f"2 * {common} >= {share} * (len(address_pieces_l) + len(address_pieces_r))"


COMPARISONS: Mapping[str, tuple[Level, ...]] = {
    "name": (
        Level("equal", "name_l = name_r"),
        Level("variant", "name_normal_l = name_normal_r"),
        Level("untyped", "name_normal_l like name_like_r or name_normal_r like name_like_l"),
        Level("sound", "list_has_any(name_sounds_l, name_sounds_r)"),
        Level("close_sound", "list_has_any(name_close_l, name_close_r)"),
        Level("shape", "list_has_any(name_alike_l, name_alike_r)"),
        Level("order", "name_ordered_l = name_ordered_r"),
        Level(
            "one_sign",
            # DuckDB's edit distance counts bytes, three to a Chinese character: it serves Latin letters only
            "list_has_any(name_holes_l, name_holes_r) or damerau_levenshtein(name_normal_l, name_normal_r) <= 1",
        ),
        Level("similar", "jaro_winkler_similarity(name_sounds_l[1], name_sounds_r[1]) >= 0.92"),
        Level("part", "list_has_any(name_parts_l, name_parts_r)"),
        Level("surname", "name_surname_l = name_surname_r"),
        Level("other", "ELSE"),
    ),
    "id_number": (
        Level("equal", "id_number_l = id_number_r"),
        # the numbers of twins differ in the serial only: a slip there says less than one in place or birth date
        Level("one_sign", "id_tail_l = id_tail_r and damerau_levenshtein(id_head_l, id_head_r) <= 1"),
        Level("one_in_serial", "id_head_l = id_head_r and damerau_levenshtein(id_tail_l, id_tail_r) <= 1"),
        Level("two_signs", "damerau_levenshtein(id_head_l || id_tail_l, id_head_r || id_tail_r) <= 2"),
        Level("place_and_birth", "id_head_l = id_head_r"),
        Level("other", "ELSE"),
    ),
    "born": (
        Level("equal", "born_l = born_r"),
        Level("day_and_month", "left(born_l, 4) = left(born_r, 4) and right(born_l, 2) = born_r[5:6] "
              "and right(born_r, 2) = born_l[5:6]"),
        Level("one_sign", "damerau_levenshtein(born_l, born_r) <= 1"),
        Level("year_beside", "right(born_l, 4) = right(born_r, 4) "
              "and abs(left(born_l, 4)::integer - left(born_r, 4)::integer) = 1"),
        Level("two_signs", "damerau_levenshtein(born_l, born_r) <= 2"),
        Level("other", "ELSE"),
    ),
    "address": (
        Level("equal", "address_l = address_r"),
        Level("same_numbers", f"address_numbers_l = address_numbers_r and address_numbers_l <> '' and {_overlap(0.5)}"),
        Level("much", _overlap(0.6)),
        Level("some", _overlap(0.3)),
        Level("other", "ELSE"),
    ),
    "phone": (
        Level("equal", "phone_l = phone_r"),
        Level("one_sign", "damerau_levenshtein(phone_l, phone_r) <= 1"),
        Level("other", "ELSE"),
    ),
}  # fmt: skip
_KNOWN = {"name": "name", "id_number": "id_number", "born": "born", "address": "address", "phone": "phone"}
UNKNOWN = "unknown"
"""The grade where one of the two is not known: it weighs nothing."""


@dataclass(frozen=True)
class Weights:
    """How often each level holds among records of one person (m) and of two (u)."""

    levels: Mapping[str, Mapping[str, tuple[float, float]]]

    @classmethod
    def read(cls, path: Path) -> Weights:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            {name: {g: (m, u) for g, (m, u) in levels.items()} for name, levels in raw["levels"].items()}
        )

    def factor(self, comparison: str, grade: str) -> float:
        """By how much a grade multiplies the odds that two records are one person."""
        if grade == UNKNOWN:
            return 1.0
        m, u = self.levels[comparison][grade]
        return m / u


@lru_cache(maxsize=1)
def shipped_weights() -> Weights:
    """The weights that come with the house (benchmarks/bench_linkage.py --refit made them)."""
    return Weights.read(WEIGHTS)


@dataclass(frozen=True)
class ScoredPair:
    """Two records with the probability that they are one person, and the grade of each comparison."""

    first: int
    second: int
    probability: float
    grades: Mapping[str, str]


@dataclass(frozen=True)
class Search:
    """What a search over many records found, most probable first, and what bounded it."""

    pairs: tuple[ScoredPair, ...]
    records: int
    keys_too_common: int


def prior(records: int, expected_share: float) -> float:
    """The probability that two of ``records`` drawn at random are one person, if so great a share is entered twice.

    A handful of records is taken for a piece of a larger register: among ten people chance is no more lenient.
    """
    records = max(records, _SMALLEST)
    return expected_share * records / (records * (records - 1) / 2)


# ---- a few candidates at the window ------------------------------------------------------------------------------


def score(
    one: PersonRecord,
    others: Sequence[PersonRecord],
    *,
    records: int,
    expected_share: float,
    namesakes: Mapping[str, int] | None = None,
    weights: Weights | None = None,
) -> list[ScoredPair]:
    """How probable it is that ``one`` is each of ``others``, by the levels and weights of the search.

    ``records`` is the size of the register; ``namesakes`` how many people of it bear a name, where that is known: to
    share a common name says less (as Splink's term frequencies do).
    """
    if not others:
        return []
    weights = weights or shipped_weights()
    left, _ = columns_of([one], most_alike=None)
    right, _ = columns_of(others, most_alike=None)
    with duckdb.connect(config={"threads": 1}) as db:
        db.register("one", left)
        db.register("others", right)
        rows = db.execute(_grading_sql()).fetchall()
    start = prior(records, expected_share)
    found = []
    for key, *graded in rows:
        grades = dict(zip(COMPARISONS, graded, strict=True))
        odds = math.prod(weights.factor(name, grade) for name, grade in grades.items())
        if grades["name"] == "equal" and namesakes and one.name in namesakes:
            u = weights.levels["name"]["equal"][1]
            odds *= u / max(namesakes[one.name] / records, 1 / records)
        odds *= start / (1 - start)
        found.append(ScoredPair(one.key, key, odds / (1 + odds), grades))
    return sorted(found, key=lambda pair: -pair.probability)


@lru_cache(maxsize=1)
def _grading_sql() -> str:
    """One CASE per comparison, over ``one`` beside each of ``others``."""
    columns = sorted(set(_all_columns()))
    sides = [f"one.{c} as {c}_l, others.{c} as {c}_r" for c in columns]
    cases = []
    for name, levels in COMPARISONS.items():
        known = _KNOWN[name]
        whens = [f"when {known}_l is null or {known}_r is null then '{UNKNOWN}'"]
        whens += [f"when {level.sql} then '{level.grade}'" for level in levels[:-1]]
        cases.append(f"case {' '.join(whens)} else '{levels[-1].grade}' end")
    # nothing but the constants of this module
    pairs = f"select others.unique_id as other, {', '.join(sides)} from one cross join others"  # noqa: S608
    return f"with pairs as ({pairs}) select other, {', '.join(cases)} from pairs"  # noqa: S608


def _all_columns() -> Iterable[str]:
    from doudi.engine.linkage.records import SCHEMA

    return (name for name in SCHEMA.names if name not in KEYS and name != "unique_id")


# ---- a whole register --------------------------------------------------------------------------------------------


def search(
    people: Iterable[PersonRecord],
    *,
    at_least: float,
    expected_share: float,
    most_alike: int = 400,
    weights: Weights | None = None,
    fit: bool = False,
    threads: int = 2,
) -> Search:
    """Every pair of records that is one person with a probability of ``at_least``.

    ``fit`` estimates the weights from these records without labels (expectation maximisation) instead of taking those
    shipped; it wants some thousands of records and a fair share of duplicates.
    """
    table, dropped = columns_of(people, most_alike=most_alike)
    if table.num_rows < 2:
        return Search((), table.num_rows, dropped)
    with duckdb.connect(config={"threads": threads}) as db:
        start = prior(table.num_rows, expected_share)
        if fit:
            start, weights = _fitted(linker_of(db, table, start=start, weights=None))
        linker = linker_of(db, table, start=start, weights=weights or shipped_weights())
        predicted = linker.inference.predict(threshold_match_probability=at_least, warning_mode="never")
        grades = ", ".join(f"gamma_{name}" for name in COMPARISONS)
        rows = db.execute(
            f"select unique_id_l, unique_id_r, match_probability, {grades} from {predicted.physical_name} "  # noqa: S608 — names of this module and of Splink
            "order by match_probability desc, unique_id_l, unique_id_r"
        ).fetchall()
    found = []
    for first, second, probability, *gammas in rows:
        graded = {name: _grade(name, gamma) for name, gamma in zip(COMPARISONS, gammas, strict=True)}
        found.append(ScoredPair(first, second, probability, graded))
    return Search(tuple(found), table.num_rows, dropped)


def _grade(comparison: str, gamma: int) -> str:
    """Splink counts the levels from the last up, and −1 for what is not known."""
    levels = COMPARISONS[comparison]
    return UNKNOWN if gamma < 0 else levels[len(levels) - 1 - gamma].grade


def linker_of(db: Any, table: Any, *, start: float, weights: Weights | None) -> Any:
    """Splink's linker over a table of :func:`columns_of`, with these weights or untrained.

    ``start`` is the probability that two records drawn at random are one person (:func:`prior`).
    """
    try:
        from splink import DuckDBAPI, Linker, SettingsCreator, block_on
        from splink.blocking_rule_library import CustomRule
        from splink.comparison_level_library import CustomLevel, NullLevel
        from splink.comparison_library import CustomComparison
    except ImportError:
        raise LinkageMissing(
            "没有安装 Splink，无法在全部人员中查重。请运行 pip install 'doudi[linkage]'；录入时的查重不受影响。",
            "Splink is not installed, so the whole register cannot be searched. Run pip install 'doudi[linkage]'; "
            "the check at entry works without it.",
        ) from None
    comparisons: list[Any] = []
    for name, levels in COMPARISONS.items():
        made: list[Any] = [NullLevel(_KNOWN[name])]
        for level in levels:
            custom = CustomLevel(level.sql, label_for_charts=level.grade)
            options: dict[str, Any] = {}
            if weights is not None:
                m, u = weights.levels[name][level.grade]
                options = {"m_probability": m, "u_probability": u}
            if name == "name" and level.grade == "equal":
                options["tf_adjustment_column"] = "name"
            made.append(custom.configure(**options) if options else custom)
        comparisons.append(CustomComparison(comparison_levels=made, output_column_name=name))
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=comparisons,
        blocking_rules_to_generate_predictions=[
            *(block_on(key) for key in KEYS),
            *(CustomRule(f"l.{one} = r.{other}") for pair in SWAPPED for one, other in (pair, pair[::-1])),
        ],
        probability_two_random_records_match=start,
        retain_matching_columns=True,
        retain_intermediate_calculation_columns=False,
    )
    return Linker(DuckDBAPI(db).register(table), settings, log_level=None)


def _fitted(linker: Any) -> tuple[float, Weights]:
    """Prior and weights estimated without labels; a block is on columns of one comparison, which is then left out."""
    from splink import block_on

    training = linker.training
    training.estimate_probability_two_random_records_match(
        [block_on("id_number"), block_on("name_normal", "born")], recall=0.7
    )
    training.estimate_u_using_random_sampling(max_pairs=1e6, seed=7)
    for column in ("name_normal", "born", "id_number"):
        training.estimate_parameters_using_expectation_maximisation(block_on(column))
    trained = linker.misc.save_model_to_json()
    return trained["probability_two_random_records_match"], weights_of(trained)


def weights_of(trained: Mapping[str, Any]) -> Weights:
    """The weights of a model that Splink trained (its own JSON), every grade left possible.

    A slip that the training records happen not to hold is rare, not impossible: without a floor one such grade would
    overrule all other evidence.
    """
    levels: dict[str, dict[str, tuple[float, float]]] = {}
    for name, comparison in zip(COMPARISONS, trained["comparisons"], strict=True):
        held = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
        levels[name] = {
            level.grade: (
                _rounded(max(seen.get("m_probability") or 0, _LEAST_M)),
                _rounded(max(seen.get("u_probability") or 0, _LEAST_U)),
            )
            for level, seen in zip(COMPARISONS[name], held, strict=True)
        }
    return Weights(levels)


def _rounded(probability: float) -> float:
    return float(f"{probability:.3g}")
