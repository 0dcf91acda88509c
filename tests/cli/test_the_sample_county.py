"""The sample county from the departments' files to the export, through the command line alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SAMPLE

D = "2024-11-15"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def loaded(run_doudi: Callable, tmp_path_factory: pytest.TempPathFactory):
    home = tmp_path_factory.mktemp("longli") / "home"
    return home, run_doudi(home, "feed", "load", "--dir", SAMPLE / "files", "--json")


@pytest.fixture(scope="module")
def screened(loaded, run_doudi: Callable):
    home, _load = loaded
    return home, run_doudi(home, "screen", "--as-of", D, "--json")


def test_every_load_answers_with_the_expected_counts(loaded):
    _home, load = loaded

    assert load.status == 0, load.err
    assert load.json["feeds"] == json.loads((SAMPLE / "expected_load.json").read_text(encoding="utf-8"))


def test_the_export_equals_the_expected_one_cell_for_cell(screened, run_doudi, tmp_path: Path):
    home, _screen = screened
    out = tmp_path / "out.csv"

    done = run_doudi(home, "export", "screening", "--as-of", D, "--to", out)

    assert done.status == 0, done.err
    assert out.read_bytes() == (SAMPLE / "expected.csv").read_bytes()


def test_the_screen_says_what_it_did_in_under_two_seconds(screened):
    _home, screen = screened

    answer = screen.json
    assert {"run", "households", "persons", "seconds", "pack", "pack_hash", "warnings"} <= answer.keys()
    assert (answer["households"], answer["persons"]) == (400, 853)
    assert answer["seconds"] < 2
    expected = (SAMPLE / "expected.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert answer["warnings"] == {
        "opened": sum(1 for line in expected if line.split(",")[10]), "updated": 0, "closed": 0,
    }  # fmt: skip
    assert answer["missing"] == {}


def test_loading_and_screening_again_changes_nothing(screened, loaded, run_doudi):
    home, first = loaded

    again = run_doudi(home, "feed", "load", "--dir", SAMPLE / "files", "--as-of", D, "--json")
    screen = run_doudi(home, "screen", "--as-of", D, "--json")

    assert again.json["feeds"] == first.json["feeds"]
    assert screen.json["warnings"] == {"opened": 0, "updated": 0, "closed": 0}


def test_explain_names_the_line_and_by_how_much(screened, run_doudi):
    home, _screen = screened

    told = run_doudi(home, "explain", "LL00002", "--as-of", D, "--json").json

    assert told["category"] == "DB"
    assert "1,279.99元" in told["sentence"] and "0.01元" in told["sentence"]
    income = next(v for v in told["variables"] if v["name"] == "家庭月收入")
    assert income["value"] == 1279.99 or income["value"] == "1279.99" or income["value"] == 127999
    standard = [v["parameter"] for v in told["variables"] if (v["parameter"] or {}).get("name") == "低保标准"]
    assert {"name", "value", "region", "valid_from", "document"} <= standard[0].keys()
    assert all(v["clause"] for v in told["variables"])


def test_a_folder_of_wrong_files_says_so_and_loads_the_right_ones(run_doudi, tmp_path: Path):
    folder = tmp_path / "files"
    folder.mkdir()
    for name in ("低收入家庭花名册.xlsx", "危房鉴定.csv"):
        (folder / name).write_bytes((SAMPLE / "files" / name).read_bytes())
    (folder / "通知.csv").write_text("今天开会,地点\n九点,三楼\n", encoding="utf-8")
    (folder / "坏.xlsx").write_bytes(b"this is no workbook")

    done = run_doudi(tmp_path / "home", "feed", "load", "--dir", folder, "--as-of", D, "--json")

    assert done.status == 1
    assert sorted(done.json["feeds"]) == ["dangerous_house", "household_register"]
    assert {entry["file"] for entry in done.json["refused"]} == {"通知.csv", "坏.xlsx"}
    assert "Traceback" not in done.err


def test_feeds_that_never_came_make_it_undecided_and_are_named(run_doudi, tmp_path: Path):
    home = tmp_path / "home"
    folder = tmp_path / "files"
    folder.mkdir()
    for path in (SAMPLE / "files").iterdir():
        if path.name != "银行存款.xlsx":
            (folder / path.name).write_bytes(path.read_bytes())
    run_doudi(home, "feed", "load", "--dir", folder, "--as-of", D)

    screen = run_doudi(home, "screen", "--as-of", D, "--json")
    run_doudi(home, "export", "screening", "--as-of", D, "--to", tmp_path / "out.csv")
    told = run_doudi(home, "explain", "LL00002", "--as-of", D, "--json").json

    assert screen.json["missing"] == {"deposit": "not_arrived"}
    assert told["category"] == "UNKNOWN"
    assert "银行存款" in told["sentence"]
    rows = [line.split(",") for line in (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()]
    expected = [
        line.split(",") for line in (SAMPLE / "expected.csv").read_text(encoding="utf-8").splitlines()
    ]
    category, change = rows[0].index("category"), rows[0].index("change")
    for got, whole in zip(rows[1:], expected[1:], strict=True):
        assert got[category] in (whole[category], "UNKNOWN")
        assert (got[change] == "unknown") == (got[category] == "UNKNOWN")
    assert any(row[category] == "UNKNOWN" for row in rows[1:])
    assert any(row[category] == "NONE" for row in rows[1:]), (
        "an income over every line settles it without the bank"
    )


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("screen",), 2, "as-of"),
        (("screen", "--as-of", "昨天"), 2, "不是有效日期"),
        (("screen", "--as-of", D), 1, "花名册"),
        (("export", "screening", "--as-of", D, "--to", "/tmp/x.csv"), 1, "还没有筛查过"),
        (("explain", "NOBODY", "--as-of", D), 1, "花名册"),
        (("feed", "load", "medical"), 2, "--dir"),
        (("feed", "load", "medical", "/nowhere.csv", "--as-of", D), 1, "找不到文件"),
        (("feed", "load", "nonsense", __file__, "--as-of", D), 1, "没有名为"),
        (("nonsense",), 2, "nonsense"),
    ],
)
def test_wrong_use_is_told_in_words(run_doudi, tmp_path_factory, arguments, status, said):
    done = run_doudi(tmp_path_factory.mktemp("empty") / "home", *arguments)

    assert done.status == status
    assert said in done.err
    assert "Traceback" not in done.err


def test_a_threshold_is_put_to_the_past_and_a_number_in_the_formula_is_refused(loaded, run_doudi):
    home, _load = loaded

    done = run_doudi(
        home, "backtest", "M1", "--as-of", D, "--months", 6, "--json",
        "--set", "人均可支配收入=30000", "--set", "城镇人均可支配收入=6万@520102；农村人均可支配收入=1万@520102",
    )  # fmt: skip
    refused = run_doudi(home, "backtest", "M1", "--as-of", D, "--set", "大额自付线=20000")

    assert done.status == 0, done.err
    present, lower, two_at_once = done.json["trials"]
    assert done.json["months"] == ["2024-05", "2024-06", "2024-07", "2024-08", "2024-09", "2024-10"]
    assert present["changes"] == [] and len(two_at_once["changes"]) == 2
    assert present["total"] == sum(month["new"] for month in present["months"]) > 0
    assert lower["total"] != present["total"]
    assert refused.status == 1 and "人均可支配收入" in refused.err and refused.out == ""


_SEED = """
from doudi.cli.shell import open_office
open_office(quiet=True)
from doudi.cli import demonstration
from doudi.cli.seeds import verifying
from doudi.contexts.accounts.services import system_user
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.verification.models import Report
by = system_user()
township = demonstration._busiest_township(by)
case = list(monitoring.warnings(by=by, region_code=township))[-1]
verifying.seed(demonstration._staff(by, township), case.household_no)
print(Report.objects.get().number)
"""


def test_a_report_of_the_demonstration_is_checked_equal_after_a_restart_and_a_changed_byte_is_found(
    screened, run_doudi, tmp_path: Path
):
    home = tmp_path / "home"
    shutil.copytree(screened[0], home)
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("DOUDI_", "DJANGO_"))}
    environment = {**ours, "DOUDI_HOME": str(home)}
    made = subprocess.run(
        [sys.executable, "-c", _SEED], env=environment, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    number, paper = made.stdout.split()[-1], tmp_path / "report.json"

    # each command is a process of its own: nothing is left of the one that issued it
    assert run_doudi(home, "verify", "report", number, "--to", paper, "--as", "verifier").status == 0
    assert run_doudi(home, "verify", "check", number, "--json").json == {
        "report": number, "equal": True, "differences": [],
    }  # fmt: skip
    assert run_doudi(home, "verify", "check", paper, "--json").json["equal"] is True
    whole = paper.read_bytes()
    assert b"known" in whole  # something was found in the files that were asked for real
    at = whole.index(b'"declared":') + len(b'"declared":')
    paper.write_bytes(whole[:at] + (b"1" if whole[at : at + 1] != b"1" else b"2") + whole[at + 1 :])
    changed = run_doudi(home, "verify", "check", paper, "--json")
    assert changed.status == 1
    assert [line["path"] for line in changed.json["differences"]] != []
    assert changed.json["equal"] is False
