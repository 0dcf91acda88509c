"""Sealing everything anew with the key in use (密钥轮换), while people go on working.

Columns are found in the models; a folder of sealed files is declared by whoever keeps it. Batches are small and each
stands for itself: a rotation that is killed goes on where values of an earlier key are left. An earlier key is
destroyed only by a separate act, which refuses as long as anything is sealed with it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import connection, models, transaction

from doudi.house.fields import BlindIndexField, SealedTextField
from doudi.house.keyring import HEAD, SealBroken, key_number, keyring, write_aside
from doudi.house.paths import home
from doudi.house.sealed_files import open_file, seal_file

_BATCH = 500
_PASSES = 5

PurposesOf = Callable[[str], Sequence[str]]
_FOLDERS: dict[str, PurposesOf] = {}


def declare_folder(folder: str, purposes_of: PurposesOf) -> None:
    """Say of a folder of the state folder for which purposes a file of a name may be sealed, so that it can be again."""
    _FOLDERS[folder] = purposes_of


@dataclass(frozen=True)
class Place:
    """A column or folder with how many values there carry another key than the one in use, by key number."""

    where: str
    by_key: dict[int, int]


def reseal_everything(progress: Callable[[str, int], None] | None = None) -> dict[str, int]:
    """Seal every value of an earlier key with the one in use; gives what was done by column and folder.

    It is gone over until nothing changes: somebody who began before the new key may have committed meanwhile.
    """
    done: dict[str, int] = {}
    for _number in range(_PASSES):
        changed = 0
        for where, count in _one_pass():
            done[where] = done.get(where, 0) + count
            changed += count
            if progress is not None and count:
                progress(where, done[where])
        if not changed:
            break
    return {where: count for where, count in done.items() if count}


def _one_pass() -> Iterator[tuple[str, int]]:
    for model, columns in sealed_columns():
        for count in _reseal_table(model, columns):
            yield model._meta.label, count
    for folder, purposes_of in sorted(_FOLDERS.items()):
        for path in _files(home().root / folder):
            yield folder, int(_reseal_file(path, purposes_of(path.name)))


def left_with_earlier_keys() -> list[Place]:
    """Where values of another key than the one in use are, files of no declared folder among them."""
    found: dict[str, dict[int, int]] = {}
    active = keyring().active

    def count(where: str, head: bytes) -> None:
        number = key_number(head)
        if number and number != active:
            found.setdefault(where, {})[number] = found.get(where, {}).get(number, 0) + 1

    for model, columns in (*sealed_columns(), *_loose_columns()):
        for column in columns:
            for head, number in _heads(model, column.column):
                for _each in range(number):
                    count(f"{model._meta.label}.{column.name}", head)
    for folder in sorted(home().root.iterdir()):
        if folder.is_dir() and folder.name not in ("work", "keys", "static", "packs", "layers"):
            for path in _files(folder):
                count(folder.name, _head_of(path))
    return [Place(where, by_key) for where, by_key in found.items()]


# ---- columns -----------------------------------------------------------------------------------------------------


def sealed_columns() -> list[tuple[type[models.Model], list[SealedTextField]]]:
    """Every model with its sealed columns."""
    found = [
        (model, [field for field in model._meta.local_concrete_fields if isinstance(field, SealedTextField)])
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed
    ]
    return [(model, columns) for model, columns in found if columns]


def _loose_columns() -> list[tuple[type[models.Model], list[Any]]]:
    """Columns of bytes without a limit, which a context may seal by its own hand: counted, not changed."""
    found = [
        (
            model,
            [
                field
                for field in model._meta.local_concrete_fields
                if isinstance(field, models.BinaryField)
                and not isinstance(field, SealedTextField | BlindIndexField)
                and field.max_length is None
            ],
        )
        for model in apps.get_models()
    ]
    return [(model, columns) for model, columns in found if columns]


def _reseal_table(model: type[models.Model], columns: Sequence[SealedTextField]) -> Iterator[int]:
    quote = connection.ops.quote_name
    table, key = quote(model._meta.db_table), quote(str(model._meta.pk.column))
    named = ", ".join(quote(str(column.column)) for column in columns)
    after: Any = None
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            where, given = ("", []) if after is None else (f"where {key} > %s", [after])
            cursor.execute(
                f"select {key}, {named} from {table} {where} order by {key} limit {_BATCH}",  # noqa: S608
                given,
            )
            rows = cursor.fetchall()
            if not rows:
                return
            changed = 0
            for row in rows:
                for column, held in zip(columns, row[1:], strict=True):
                    sealed = bytes(held) if held else b""
                    ring = keyring()
                    if key_number(sealed) in (0, ring.active):
                        continue
                    anew = ring.seal(ring.open(sealed, purpose=column.purpose), purpose=column.purpose)
                    place = quote(str(column.column))
                    # only if it still says what was read: somebody may have changed it meanwhile
                    cursor.execute(
                        f"update {table} set {place} = %s where {key} = %s and {place} = %s",  # noqa: S608
                        [anew, row[0], sealed],
                    )
                    changed += cursor.rowcount
            after = rows[-1][0]
        yield changed


def _heads(model: type[models.Model], column: str) -> list[tuple[bytes, int]]:
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(
            f"select substr({quote(column)}, 1, {HEAD}) as head, count(*) from {quote(model._meta.db_table)} "  # noqa: S608
            f"where {quote(column)} is not null group by head"
        )
        return [(bytes(head), number) for head, number in cursor.fetchall() if head]


# ---- files -------------------------------------------------------------------------------------------------------


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(path for path in folder.rglob("*.sealed") if path.is_file() and path.name[0] != ".")


def _head_of(path: Path) -> bytes:
    """The head of a file's seal: at its beginning, or behind the length of its first piece."""
    try:
        with path.open("rb") as file:
            begin = file.read(4 + HEAD)
    except FileNotFoundError:
        return b""
    return begin[:HEAD] if begin[:1] == b"\x01" else begin[4:]


def _reseal_file(path: Path, purposes: Sequence[str]) -> bool:
    ring = keyring()
    if key_number(_head_of(path)) in (0, ring.active):
        return False
    try:
        before = path.stat().st_ino
        for purpose in purposes:
            try:
                return _anew(path, purpose, before)
            except SealBroken:
                continue
    except FileNotFoundError:
        pass  # removed meanwhile
    return False  # sealed for a purpose nobody declared: it keeps its key, and its key is kept


def _anew(path: Path, purpose: str, inode: int) -> bool:
    with path.open("rb") as file:
        whole = file.read(1) == b"\x01"
    if whole:
        sealed = keyring().seal(keyring().open(path.read_bytes(), purpose=purpose), purpose=purpose)
        if path.stat().st_ino == inode:
            write_aside(path, sealed)
        return True
    plain = home().work / f"reseal-{secrets.token_hex(8)}"
    try:
        with open(os.open(plain, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.writelines(open_file(path, purpose=purpose))
        if path.stat().st_ino == inode:
            seal_file(plain, path, purpose=purpose)
    finally:
        plain.unlink(missing_ok=True)
    return True
