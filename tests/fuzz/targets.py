"""Every parser of what comes from outside, under atheris: ``python -m tests.fuzz.targets NAME CORPUS [libFuzzer options]``.

Run by :mod:`tests.fuzz.run`. A parser may refuse with an error of the product, which a clerk can read; anything else is a find.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
TODAY = date(2024, 11, 15)
SAMPLE = PROJECT / "samples" / "longli" / "files"


@cache
def _specs() -> dict[str, Any]:
    from doudi.engine.feeds import load_feed_specs

    return load_feed_specs(PROJECT / "packs" / "reference" / "feeds")


@cache
def _workbook() -> bytes:
    """A small workbook, whose parts are replaced one at a time."""
    import openpyxl

    book = openpyxl.Workbook()
    for row in (
        ["姓名", "身份证号", "结算日期", "总费用", "个人自付", "重病登记"],
        ["甲", "1", "2024-03-01", "200", "1", "否"],
    ):
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@cache
def _table(ending: str) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet

    table = pa.table(
        {"姓名": ["甲", "乙"], "身份证号": ["1", "2"], "余额": ["1.00", "x"], "余额日期": ["2024-01-01", ""]}
    )
    out = io.BytesIO()
    pa.parquet.write_table(table, out)
    return out.getvalue()


def a_file(content: bytes) -> None:
    """A department's file, whatever it is: container, header, cells, and the same file sent back marked."""
    from doudi.engine.feeds import parse_file, recognise

    specs = _specs()
    parse_file(recognise(specs, content), content, today=TODAY)


def a_file_of_the_bank(content: bytes) -> None:
    """As above where the kind is told, so that every cell is read."""
    from doudi.engine.feeds import parse_file

    parse_file(_specs()["deposit"], content, today=TODAY)


def a_part_of_a_workbook(content: bytes) -> None:
    """A workbook one part of which is anything: the first byte says which."""
    if not content:
        return
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(_workbook())) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        names = old.namelist()
        for place, name in enumerate(names):
            new.writestr(name, content[1:] if place == content[0] % len(names) else old.read(name))
    a_file(out.getvalue())


def a_cell(content: bytes) -> None:
    """Text of one cell: identity number, name, day, month, amount, code."""
    from doudi.engine import identity, money
    from doudi.engine.feeds import cells

    text = content.decode("utf-8", "replace")
    for read in (cells.read_date, cells.read_month, cells.read_bool, cells.read_decimal, cells.read_region):
        read(text)
    identity.read_id(text, today=TODAY)
    identity.mend_id(text, today=TODAY)
    identity.normal_name(text)
    identity.valid_uscc(text)
    money.parse_fen(text)


def a_pack_file(content: bytes) -> None:
    """A file of a policy pack."""
    from doudi.engine.packs.problems import Report
    from doudi.engine.packs.source import parse

    parse(content.decode("utf-8", "replace"), "x.yaml", Report())


def a_formula(content: bytes) -> None:
    """The formula of a rule."""
    from doudi.engine.packs.language import FormulaError, read_formula

    try:
        read_formula(content.decode("utf-8", "replace"))
    except FormulaError:
        return


def a_feed_of_a_pack(content: bytes) -> None:
    """The description of a feed."""
    from doudi.engine.feeds.spec import load_feed_spec

    load_feed_spec(_kept("x.yaml", content))


def a_picture(content: bytes) -> None:
    """A photograph of a visit, an authorisation or a meal."""
    from doudi.engine.pictures import media_type, strip

    assert media_type(strip(content))


def a_locked_archive(content: bytes) -> None:
    """An encrypted archive from an office that sends batches."""
    from doudi.house.locked_zip import is_zip, unlock

    is_zip(content)
    unlock(content, "password")


def a_backup(content: bytes) -> None:
    """A file that is said to be a backup."""
    from doudi.house.backup import KeyGiven, check_backup

    check_backup(_kept("x.doudi", content), given=KeyGiven(key_bytes=b"k" * 32))


def an_answer_of_a_source(content: bytes) -> None:
    """The JSON of a connected source."""
    from doudi.contexts.verification.connectors.interface import read_answer

    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return
    if isinstance(told, dict):
        read_answer(told, "B1", {"Q1", "Q2"}, name="甲")


def a_return_of_the_bank(content: bytes) -> None:
    """What the bank says of payments."""
    from doudi.engine.benefits import banking

    for layout in _bank_layouts():
        banking.read_return(layout, content, {})


@cache
def _bank_layouts() -> list[Any]:
    from doudi.engine.benefits.rules import load_benefits

    return list(load_benefits(PROJECT / "packs" / "reference").layouts.values())


def points_and_places(content: bytes) -> None:
    """Lists of a question of siting."""
    from doudi.engine.siting.files import read_lists

    half = content.find(b"\x00") if b"\x00" in content else len(content) // 2
    read_lists(_kept("demand.csv", content[:half]), _kept("places.csv", content[half:].lstrip(b"\x00")))


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="doudi-fuzz-"))


def _kept(name: str, content: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(content)
    return path


def _samples(*endings: str) -> Iterator[bytes]:
    for path in sorted(SAMPLE.iterdir()):
        if path.suffix in endings:
            yield path.read_bytes()[:4000]


def _texts(*texts: str) -> list[bytes]:
    return [text.encode() for text in texts]


_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000001"
    "e221bc330000000049454e44ae426082"
)
_JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffe100084578696600ffda0008010100003f00d2cf20ffd9"
)


_ANSWER = {
    "batch": "B1",
    "as_of": "2024-11-01",
    "answers": [{"query": "Q1", "status": "known", "rows": [{"balance": "1.00"}]}],
}


def _parts() -> list[bytes]:
    book = zipfile.ZipFile(io.BytesIO(_workbook()))
    return [bytes([place]) + book.read(name) for place, name in enumerate(book.namelist())]


def _archive() -> bytes:
    from doudi.house.locked_zip import lock

    return lock("甲.csv", b"a,b\n1,2\n", "password")


def _yaml(*folders: str) -> Iterator[bytes]:
    for folder in folders:
        for path in sorted((PROJECT / "packs" / "reference" / folder).glob("*.yaml"))[:12]:
            yield path.read_bytes()[:3000]


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], Any]]] = {
    "file": (a_file, lambda: [*_samples(".csv"), _workbook(), _table("parquet")]),
    "deposit": (a_file_of_the_bank, lambda: [_table("parquet"), *_texts("姓名,身份证号,机构,余额,余额日期\n甲,1,乙,1.00,2024-01-01\n")]),
    "workbook": (a_part_of_a_workbook, _parts),
    "cell": (a_cell, lambda: _texts("11010119900101001X", "2024年3月1日", "1,234.50元", "２０２４-０３", "壹佰元整", "45629", "是")),
    "pack": (a_pack_file, lambda: list(_yaml(".", "rules"))),
    "formula": (a_formula, lambda: _texts("家庭月收入 < 低保标准 * 家庭人口", "取大(0, 甲 - 乙)", "甲 且 非 乙", "合计(医疗.自付)")),
    "feed": (a_feed_of_a_pack, lambda: list(_yaml("feeds"))),
    "picture": (a_picture, lambda: [_PNG, _JPEG]),
    "archive": (a_locked_archive, lambda: [_archive()]),
    "backup": (a_backup, lambda: [b"doudi"]),
    "answer": (an_answer_of_a_source, lambda: _texts(json.dumps(_ANSWER))),
    "return": (a_return_of_the_bank, lambda: _texts("序号,户名,账号,金额,结果\n1,甲,622848,1.00,成功\n")),
    "siting": (points_and_places, lambda: _texts("id,lon,lat,weight\na,106.7,26.6,3\n\x00id,lon,lat\nb,106.7,26.6\n")),
}  # fmt: skip
"""The parsers by name, each with what its corpus begins with."""


def main() -> None:
    import atheris
    import django

    django.setup()
    target, corpus = TARGETS[sys.argv[1]]
    folder = Path(sys.argv[2])
    for place, content in enumerate(corpus()):
        (folder / f"seed{place}").write_bytes(content)
    from doudi.engine.errors import DoudiError

    # what is imported here is watched for new paths
    with atheris.instrument_imports(include=["doudi"]):
        for content in corpus():
            try:
                target(content)
            except DoudiError:
                continue

    def one(content: bytes) -> None:
        try:
            target(content)
        except DoudiError as refused:
            assert refused.zh and refused.en

    atheris.Setup([sys.argv[0], str(folder), *sys.argv[3:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
