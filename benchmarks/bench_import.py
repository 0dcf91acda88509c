"""A department's file of a million rows, 2.5 % of them bad, checked row by row; peer: a loop over a pydantic model.

    python -m benchmarks.bench_import [--rows 1000000]

Both read the same GB18030 CSV of bank balances and must set the same rows aside: a wrong check digit, an impossible day,
an amount in words, an institution left out. The peer is what a careful team writes without doudi: csv, pydantic 2, one
model with validators. It mends less (no full-width digits, no five ways to write a date, no repeats found); the file
holds none of what it cannot read.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from benchmarks.measuring import in_a_process, machine, timed
from benchmarks.population import OUT, REFERENCE
from doudi.engine.feeds import load_feed_specs
from doudi.engine.feeds.validating import parse_file
from doudi.engine.identity import check_digit

HEADER = ["姓名", "身份证号", "机构", "余额", "余额日期"]
TODAY = date(2024, 11, 15)
_BAD = 0.025


def write_file(rows: int, to: Path) -> set[int]:
    """The file, and the sheet rows that are bad (the header is row 1)."""
    chance = random.Random(20241115)
    surnames, given = "王李张刘陈杨赵黄周吴", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀兰霞"
    bad: set[int] = set()
    with to.open("w", encoding="gb18030", newline="") as out:
        lines = csv.writer(out)
        lines.writerow(HEADER)
        for number in range(2, rows + 2):
            born = date.fromordinal(
                chance.randrange(date(1935, 1, 1).toordinal(), date(2015, 1, 1).toordinal())
            )
            first = f"529900{born:%Y%m%d}{chance.randrange(1000):03}"
            row = [
                chance.choice(surnames) + chance.choice(given) + chance.choice(given),
                first + check_digit(first),
                chance.choice(("农业银行", "农村信用社", "邮储银行")),
                f"{chance.randrange(10_000_000) / 100:.2f}",
                f"2024-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}",
            ]
            if chance.random() < _BAD:
                bad.add(number)
                place, wrong = chance.choice(
                    ((1, row[1][:17] + chance.choice([d for d in "0123456789X" if d != row[1][17]])),
                     (4, "2024-02-30"), (3, "一万元"), (2, ""))
                )  # fmt: skip
                row[place] = wrong
            lines.writerow(row)
    return bad


# ---- the peer ------------------------------------------------------------------------------------------------------

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def _resident_id(text: str) -> str:
    date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, text, strict=False))
    if "10X98765432"[total % 11] != text[17]:
        raise ValueError("check digit")
    return text


class Balance(BaseModel):
    """One row as a pydantic model."""

    model_config = ConfigDict(str_strip_whitespace=True)

    name: Annotated[str, StringConstraints(min_length=1)] = Field(alias="姓名")
    id_number: Annotated[
        str, StringConstraints(pattern=r"^\d{17}[\dX]$", to_upper=True), AfterValidator(_resident_id)
    ] = Field(alias="身份证号")
    institution: Annotated[str, StringConstraints(min_length=1)] = Field(alias="机构")
    balance: Annotated[Decimal, Field(ge=0, decimal_places=2)] = Field(alias="余额")
    balance_on: date = Field(alias="余额日期")


def peer(path: Path) -> tuple[list[Balance], set[int]]:
    good, bad = [], set()
    with path.open(encoding="gb18030", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines), 2):
            try:
                good.append(Balance.model_validate(row))
            except ValidationError:
                bad.add(number)
    return good, bad


def product(path: Path) -> set[int]:
    spec = load_feed_specs(REFERENCE / "feeds")["deposit"]
    return {fault.row_no for fault in parse_file(spec, path, today=TODAY).faults}


def _measure(which: str, path: Path) -> None:
    found, usage = timed(lambda: product(path) if which == "product" else peer(path)[1])
    print(
        json.dumps(
            {
                "bad": sorted(found),
                "seconds": usage.seconds,
                "cpu_seconds": usage.cpu_seconds,
                "peak_mib": usage.peak_mib,
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=1_000_000)
    parser.add_argument("--measure", choices=("product", "peer"))
    parser.add_argument("--file", type=Path)
    options = parser.parse_args()
    if options.measure:
        _measure(options.measure, options.file)
        return
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"deposit-{options.rows}.csv"
    bad = write_file(options.rows, path)
    said = {
        which: in_a_process("benchmarks.bench_import", "--measure", which, "--file", str(path))
        for which in ("product", "peer")
    }
    path.unlink()
    for which, found in said.items():
        if set(found["bad"]) != bad:
            raise SystemExit(f"{which} set aside other rows: {len(found['bad'])} of {len(bad)}")
    ours, theirs = said["product"], said["peer"]
    print(
        json.dumps(
            {
                "claim": f"a GB18030 file of {options.rows:,} rows, {len(bad):,} bad ones, the same set aside",
                "product": f"{ours['cpu_seconds']} processor s, {ours['seconds']} s, {ours['peak_mib']} MiB",
                "peer": f"pydantic loop {theirs['cpu_seconds']} processor s, {theirs['seconds']} s, {theirs['peak_mib']} MiB",
                "ratio": f"{theirs['cpu_seconds'] / ours['cpu_seconds']:.1f}×",
                "machine": machine(),
            },
            ensure_ascii=False,
        )
    )


if __name__ == "__main__":
    main()
