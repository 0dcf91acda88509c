"""What all tests share: an empty office, and a county that was loaded and screened once and is put back for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import small_county

if TYPE_CHECKING:
    from django.db.models import Model

PROJECT = Path(__file__).resolve().parents[1]
SAMPLE = PROJECT / "samples" / "longli"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, default=6, help="rounds of each fault test")


_LONG = ("faults", "journeys", "cli")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: left to the end, one of them keeps a single core busy while the other waits."""
    tests = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(tests).parts[0] not in _LONG)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty state folder for one test."""
    from doudi.house.paths import home

    monkeypatch.setenv("DOUDI_HOME", str(tmp_path / "home"))
    home().create()
    yield tmp_path / "home"


@pytest.fixture(scope="session", autouse=True)
def _tables_can_be_emptied() -> Iterator[None]:
    """A test that commits empties every table behind itself; what the office writes once is guarded until then."""
    from django.test import TransactionTestCase

    from doudi.contexts.assistance import frozen

    emptied = TransactionTestCase._fixture_teardown

    def empty(case: TransactionTestCase) -> None:
        frozen.unguard()
        emptied(case)
        frozen.guard()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty)
        yield


@dataclass
class _Kept:
    """The state of a loaded county: its folder and the rows of every table."""

    home: Path
    files: Path
    rows: dict[str, tuple[list[str], list[Any]]]


@pytest.fixture(scope="session")
def _kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, _Kept]:
    return {}


@pytest.fixture
def county(office: Path, db: None, _kept: dict[str, _Kept], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small county, loaded and screened; gives the folder of its files.

    The first test of a process really loads it; the others get the same state folder and rows put back.
    """
    return kept_once("county", _kept, office, tmp_path_factory.mktemp("county"), _load_county)


def _load_county(files: Path) -> None:
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    when = date.fromisoformat(small_county.AS_OF)
    chain.take_in_folder(small_county.write_county(files), as_of=when, by=system_user())
    chain.screen(as_of=when, by=system_user())


def kept_once(
    name: str, kept: dict[str, _Kept], office: Path, folder: Path, load: Callable[[Path], None]
) -> Path:
    """What ``load`` does to an empty office, done once a process and put back for each test; gives its folder of files."""
    if name not in kept:
        kept[name] = _keep(office, folder, load)
    shutil.copytree(kept[name].home, office, dirs_exist_ok=True)
    _put_back(kept[name].rows)
    return kept[name].files


def _keep(office: Path, folder: Path, load: Callable[[Path], None]) -> _Kept:
    from django.db import connection, transaction

    with transaction.atomic():
        load(folder / "files")
        rows = {}
        for table in _tables():
            with connection.cursor() as cursor:
                cursor.execute(f"select * from {table}")
                rows[table] = ([column[0] for column in cursor.description], cursor.fetchall())
        transaction.set_rollback(True)
    shutil.copytree(office, folder / "home")
    return _Kept(folder / "home", folder / "files", rows)


def _models() -> list[type[Model]]:
    from django.apps import apps

    contexts = [config for config in apps.get_app_configs() if config.name.startswith("doudi.contexts.")]
    return [model for config in contexts for model in config.get_models(include_auto_created=True)]


def _tables() -> list[str]:
    return [model._meta.db_table for model in _models()]


def _put_back(rows: dict[str, tuple[list[str], list[Any]]]) -> None:
    from django.core.management.color import no_style
    from django.db import connection, transaction

    # in one transaction: the tables come in no order in which every row finds the one that it points at
    with transaction.atomic(), connection.cursor() as cursor:
        for table, (columns, values) in rows.items():
            if values:
                named = ", ".join(f'"{column}"' for column in columns)
                places = ", ".join(["%s"] * len(columns))
                cursor.executemany(f"insert into {table} ({named}) values ({places})", _adapted(values))
        for statement in connection.ops.sequence_reset_sql(no_style(), _models()):
            cursor.execute(statement)


def _adapted(values: list[Any]) -> list[Any]:
    """JSON comes out of PostgreSQL as text already read; it goes back as text."""
    import json

    return [[json.dumps(cell) if isinstance(cell, dict | list) else cell for cell in row] for row in values]


@pytest.fixture
def canteen(cast):
    """A meal place of the ``cast`` with today's lunch cooked; tests that need another day or operator make their own."""
    from tests.a_meal_place import cook, open_canteen

    place = open_canteen(cast)
    cook(cast, place)
    return place
