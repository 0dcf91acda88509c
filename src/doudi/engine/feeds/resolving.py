"""From people to integer keys: the register gives the keys, every other feed is matched to it and graded.

In comes a :class:`ParsedFile`; out come Parquet files without names or identity numbers, and the match grades of
feeds.md point 3. The same parsed file can be resolved again to another register.

Readings where the contract is silent:

* A household is a ``household_no`` of a register. Its region is its head's; members may bear another.
* A person who stands in several households is one row of a feed in the grades, and one row in each of them in the
  file. The best grade counts: A before B before C.
* A row without an ID is a lead if its name, variants and separators aside, is a registered person's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from doudi.engine.feeds.snapshots import (
    HOUSEHOLDS,
    INDEX,
    MEMBERS,
    Blinder,
    rows_of,
    write_folder,
    write_parquet,
)
from doudi.engine.feeds.spec import IDENTIFYING
from doudi.engine.feeds.validating import ARROW, ParsedFile
from doudi.engine.identity import normal_name

MEMBER_COLUMNS = (
    "household_key", "person_key", "relation", "living_together", "left_on", "category", "category_since",
    "urban_rural", "region_code", "is_head", "birth_on",
)  # fmt: skip
_REGISTER_ROWS = (
    "household_key", "person_key", "household_no", "id_number", "id_derived", "name", "relation", "region_code",
    "urban_rural", "living_together", "category", "category_since", "left_on", "phone", "address", "is_head",
)  # fmt: skip


@dataclass(frozen=True)
class RegisterBuild:
    """A resolved register: its folder, and its rows with keys for the registry's database (these name people)."""

    folder: Path
    rows: pa.Table
    households: int
    persons: int


@dataclass(frozen=True)
class Grades:
    """How the good rows of a feed matched the register (feeds.md point 3); repeats are counted in none of them.

    ``held`` are the C rows for a person to look at: ``row_no`` of the sender's sheet, ``household_key``,
    ``person_key`` of the registered person who bears the ID. ``different_names`` are the keys of the persons whom a B row
    means: the ID is theirs, the name differs by a variant character.
    """

    a: int
    b: int
    c: int
    leads: int
    not_registered: int
    held: pa.Table
    different_names: tuple[int, ...] = ()


def build_register(parsed: ParsedFile, folder: Path, *, blind: Blinder) -> RegisterBuild:
    """Number the households and persons of a register and write its folder, whole or not at all.

    Keys are dense: households by region (padded to 12 digits) and ``household_no``, persons by household and
    ``id_number``. A folder that stands already under the same name is left as it is.
    """
    rows = parsed.rows
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("register_rows", rows)
        # the head is the 户主 with the smallest ID, without one the smallest ID (reference pack)
        keyed = connection.sql("""
            WITH ranked AS (
                SELECT *, row_number() OVER (
                    PARTITION BY household_no ORDER BY relation <> '户主', id_number, row_no
                ) = 1 AS is_head
                FROM register_rows
            ), placed AS (
                SELECT ranked.*, rpad(head.region_code, 12, '0') AS head_region
                FROM ranked JOIN ranked AS head ON head.household_no = ranked.household_no AND head.is_head
            )
            SELECT placed.* EXCLUDE (head_region, category),
                TRY_CAST(concat_ws('-', id_number[7:10], id_number[11:12], id_number[13:14]) AS DATE) AS birth_on,
                dense_rank() OVER (ORDER BY head_region, household_no)::BIGINT - 1 AS household_key,
                dense_rank() OVER (ORDER BY head_region, household_no, id_number)::BIGINT - 1 AS person_key,
                coalesce(category, '') AS category
            FROM placed ORDER BY household_key, person_key, row_no
        """).to_arrow_table()
        connection.register("keyed", keyed)
        households = connection.sql("""
            SELECT household_key, any_value(household_no) FILTER (is_head) AS household_no,
                any_value(region_code) FILTER (is_head) AS region_code,
                any_value(urban_rural) FILTER (is_head) AS urban_rural,
                any_value(category) FILTER (is_head) AS category,
                count(DISTINCT person_key)::INTEGER AS persons
            FROM keyed GROUP BY household_key ORDER BY household_key
        """).to_arrow_table()
    persons = len(pc.unique(keyed["person_key"]))
    index = pa.table(
        {
            "id_blind": _digests(keyed["id_number"], blind),
            "name_blind": _digests(keyed["name"], blind),
            "name_norm_blind": _digests(_normal_names(keyed["name"]), blind),
            "household_key": keyed["household_key"],
            "person_key": keyed["person_key"],
        }
    )
    write_folder({MEMBERS: keyed.select(MEMBER_COLUMNS), HOUSEHOLDS: households, INDEX: index}, folder)
    return RegisterBuild(folder, keyed.select(_REGISTER_ROWS), households.num_rows, persons)


def resolve_feed(parsed: ParsedFile, register: Path | None, to: Path, *, blind: Blinder) -> Grades:
    """Match the rows of a feed to a resolved register and write the A and B rows to the file ``to``.

    ``register`` is a folder made by :func:`build_register`; None means that no register has arrived: everybody is
    unregistered and the file has no rows.
    """
    kept = [c for c in parsed.spec.columns if c.type not in IDENTIFYING]
    schema = pa.schema(
        [
            ("household_key", pa.int64()),
            ("person_key", pa.int64()),
            *[(column.name, ARROW[column.type]) for column in kept],
            ("row_digest", pa.int64()),
        ]
    )
    total = parsed.rows.num_rows
    if register is None or not total:
        write_parquet(schema.empty_table(), to)
        return Grades(0, 0, 0, 0, total, _HELD.empty_table())
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.sql(f"CREATE VIEW people AS FROM {rows_of(register / INDEX)}")
        _match(connection, parsed.rows, blind)
        graded = connection.sql("SELECT grade, count(*) FROM best GROUP BY grade").fetchall()
        held = connection.sql("""
            SELECT row_no, household_key, person_key FROM matched JOIN best USING (row_no)
            WHERE best.grade = 'C' AND matched.grade = 'C' ORDER BY row_no, household_key, person_key
        """).to_arrow_table()
        differing = connection.sql("""
            SELECT DISTINCT person_key FROM matched JOIN best USING (row_no)
            WHERE best.grade = 'B' AND matched.grade = 'B' ORDER BY person_key
        """).fetchall()
        connection.register("good_rows", parsed.rows)
        columns = "".join(f'good_rows."{column.name}", ' for column in kept)
        resolved = connection.sql(f"""
            SELECT household_key, person_key, {columns} good_rows.row_digest
            FROM (SELECT DISTINCT row_no, household_key, person_key FROM matched WHERE grade IN ('A', 'B')) AS found
            JOIN good_rows USING (row_no)
            ORDER BY household_key, person_key, row_no
        """).to_arrow_table()  # noqa: S608 — column names are [a-z0-9_]
        leads = _leads(connection, parsed.rows, blind)
    digests = resolved["row_digest"].to_numpy()
    resolved = resolved.set_column(resolved.num_columns - 1, "row_digest", pa.array(_keyed(digests, blind)))
    write_parquet(resolved.cast(schema), to)
    count = {grade: int(rows) for grade, rows in graded}
    a, b, c = (count.get(grade, 0) for grade in "ABC")
    return Grades(
        a, b, c, leads, total - a - b - c - leads, held.cast(_HELD), tuple(int(key) for (key,) in differing)
    )


_HELD = pa.schema([("row_no", pa.int32()), ("household_key", pa.int64()), ("person_key", pa.int64())])


def _match(connection: duckdb.DuckDBPyConnection, rows: pa.Table, blind: Blinder) -> None:
    """Tables ``matched`` (row_no, grade, keys; one row per registered place) and ``best`` (row_no, grade)."""
    with_id = rows.select(["row_no", "id_number", "name"]).filter(rows["id_number"].is_valid())
    connection.register("asked", _with_digests(with_id, "id_number", "id_blind", blind))
    registered = connection.sql("""
        SELECT asked.row_no, asked.name, people.* FROM asked JOIN people USING (id_blind)
    """).to_arrow_table()
    registered = registered.append_column("asked_name", _digests(registered["name"], blind))
    registered = registered.append_column("asked_norm", _digests(_normal_names(registered["name"]), blind))
    connection.register("registered", registered.drop_columns(["name"]))
    connection.sql("""
        CREATE TABLE matched AS SELECT row_no, household_key, person_key,
            CASE WHEN asked_name = name_blind THEN 'A' WHEN asked_norm = name_norm_blind THEN 'B' ELSE 'C' END AS grade
        FROM registered
    """)
    connection.sql("CREATE TABLE best AS SELECT row_no, min(grade) AS grade FROM matched GROUP BY row_no")


def _leads(connection: duckdb.DuckDBPyConnection, rows: pa.Table, blind: Blinder) -> int:
    names = rows.filter(rows["id_number"].is_null())["name"]
    if len(names) == 0:
        return 0
    connection.register("nameless", pa.table({"name_norm_blind": _digests(_normal_names(names), blind)}))
    found = connection.sql(
        "SELECT count(*) FROM nameless SEMI JOIN people USING (name_norm_blind)"
    ).fetchall()
    return int(found[0][0])


def _normal_names(names: pa.ChunkedArray) -> pa.ChunkedArray:
    coded = names.combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    normal = pa.array([normal_name(name) for name in coded.dictionary.to_pylist()], pa.string())
    return pa.chunked_array([normal.take(coded.indices)])


def _with_digests(table: pa.Table, column: str, name: str, blind: Blinder) -> pa.Table:
    return table.append_column(name, _digests(table[column], blind)).drop_columns([column])


def _digests(texts: pa.ChunkedArray, blind: Blinder) -> pa.Array:
    """The keyed digests of a column, each distinct text asked for once."""
    coded = pc.dictionary_encode(texts.combine_chunks())
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    return pa.array(_as_bytes(blind(coded.dictionary.to_pylist())), pa.binary()).take(coded.indices)


def _as_bytes(digests: Sequence[bytes] | Sequence[int]) -> list[bytes]:
    return [d if isinstance(d, bytes) else int(d).to_bytes(16, "big", signed=True) for d in digests]


def _keyed(digests: np.ndarray, blind: Blinder) -> np.ndarray:
    """Row digests under the house's key: without it nobody can try names and numbers against a file."""
    key = _as_bytes(blind(["row_digest"]))[0][:64]
    keyed = b"".join(blake2b(d.tobytes(), digest_size=8, key=key).digest() for d in digests.astype("<i8"))
    return np.frombuffer(keyed, "<i8").astype(np.int64)
