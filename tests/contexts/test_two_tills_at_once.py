"""Two tills serve one person at the same moment, and one till sends the same meal twice at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from doudi import chain
from doudi.contexts.meals import services as meals
from tests.a_meal_place import POINT, cook, enrol, open_canteen, tap
from tests.cast import CANTEEN, assemble


def at_once(*acts: Any) -> list[Any]:
    """Do all acts in threads of their own; gives what each came to."""
    gate, results = threading.Barrier(len(acts)), []

    def run(act: Any) -> None:
        try:
            gate.wait()
            results.append(act())
        except Exception as problem:
            results.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.django_db(transaction=True)
def test_one_subsidy_and_one_meal_however_many_ask_at_once(office) -> None:
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("threads do not share SQLite's database in memory")
    cast = assemble()
    here, there = open_canteen(cast), open_canteen(cast, code=POINT, organisation=CANTEEN)
    for place in (here, there):
        cook(cast, place)
    person, other = enrol(cast, here), enrol(cast, here, serial=103)
    once = tap(other)

    both = at_once(
        lambda: chain.serve_meal(here.code, tap(person), by=cast.canteen),
        lambda: chain.serve_meal(there.code, tap(person), by=cast.canteen),
    )
    same = at_once(*[lambda: chain.serve_meal(here.code, once, by=cast.canteen)] * 3)

    assert sorted(given.serving.subsidy_fen for given in both) == [0, 200]
    assert sorted(given.again for given in same) == [False, True, True]
    assert meals.servings(by=cast.canteen).count() == 3
