"""A screen can be computed again years later: with the pack of then and the files of then, to the byte."""

from __future__ import annotations

import shutil
from datetime import date

import pytest

from doudi import chain
from doudi.contexts.monitoring import services as monitoring
from doudi.engine.errors import DoudiError
from doudi.house.paths import home
from tests import small_county as sc

pytestmark = pytest.mark.django_db
D = date.fromisoformat(sc.AS_OF)


def test_a_run_gives_the_same_hash_after_newer_files_and_without_its_snapshots(county, by, tmp_path):
    run = monitoring.latest_run(D)
    another = ["王强", sc.WANG_QIANG, "2024-07-01", "100", "50", "否"]
    chain.take_in_file(
        "medical",
        sc.write_csv(tmp_path / "医疗2.csv", sc.MEDICAL_HEADER, [*sc.MEDICAL, another]),
        as_of=D,
        by=by,
    )
    for folder in (home().snapshots, home().results):
        shutil.rmtree(folder)
        folder.mkdir()

    again = chain.replay(run.pk, by=by)

    assert again.equal
    assert chain.screen(as_of=D, by=by).result_hash != run.result_hash


def test_a_run_whose_pack_is_lost_says_so(county, by):
    shutil.rmtree(home().packs)

    with pytest.raises(DoudiError, match="没有保存"):
        chain.replay(monitoring.latest_run(D).pk, by=by)
