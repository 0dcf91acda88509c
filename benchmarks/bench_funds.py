"""Claim: with a million entries in the ledger of charity's money the balance of any fund answers in under 50 ms.

``python -m benchmarks.bench_funds --entries 1e6`` makes a scratch SQLite office, draws with a seed the entries of ten
years over 200 funds, one of which holds half of them, writes them with the product's own running balances and months, and
asks the product's own ``ledger.balance`` and ``ledger.balance_on`` for every fund, today and on days drawn at random. The
peer is the plain sum over the lines of the same fund. Balances must agree to the fen.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from datetime import date, timedelta
from typing import Any

import numpy as np

SEED = 20240905
FUNDS, YEARS = 200, 10
FIRST = date(2015, 1, 1)


def draw(entries: int) -> dict[str, np.ndarray]:
    """Fund, day and sum of each entry, by day; an entry is a gift into the free money of a fund."""
    rng = np.random.default_rng(SEED)
    fund = np.where(rng.random(entries) < 0.5, 0, rng.integers(1, FUNDS, entries))
    day = np.sort(rng.integers(0, 365 * YEARS, entries))
    return {"fund": fund, "day": day, "fen": rng.integers(100, 1_000_000, entries)}


def fill(entries: int) -> list[Any]:
    """Write the entries with their lines, running balances and months; gives the funds."""
    from doudi.contexts.charity.models import Fund, FundEntry, FundLine, FundMonth, Organisation

    body = Organisation.objects.create(code="bench", name="基准慈善会", kind="charity", region_code="520102")
    funds = [
        Fund.objects.create(
            number=f"ZJ-{place}",
            organisation=body,
            kind="general",
            name=f"资金{place}",
            opened_on=FIRST,
            opened_by="bench",
        )
        for place in range(FUNDS)
    ]
    drawn = draw(entries)
    running = dict.fromkeys(range(FUNDS), 0)
    months: dict[tuple[int, str, date], int] = {}
    step = 20_000
    for start in range(0, entries, step):
        made, lines = [], []
        for place in range(start, min(start + step, entries)):
            on = FIRST + timedelta(days=int(drawn["day"][place]))
            made.append(
                FundEntry(
                    pk=place + 1, organisation=body, kind="gift", voucher=f"B{place:09d}", on=on, memo="捐赠",
                    amount_fen=int(drawn["fen"][place]), by="bench",
                )
            )  # fmt: skip
            which, fen = int(drawn["fund"][place]), int(drawn["fen"][place])
            running[which] += fen
            for account, sign in (("money", 1), ("free_money", -1)):
                lines.append(
                    FundLine(
                        entry_id=place + 1, fund=funds[which], account=account, on=on, amount_fen=sign * fen,
                        balance_fen=sign * running[which],
                    )
                )  # fmt: skip
                key = (which, account, on.replace(day=1))
                months[key] = months.get(key, 0) + sign * fen
        FundEntry.objects.bulk_create(made)
        FundLine.objects.bulk_create(lines, batch_size=5_000)
    FundMonth.objects.bulk_create(
        [
            FundMonth(fund=funds[which], account=account, month=month, moved_fen=fen)
            for (which, account, month), fen in months.items()
        ],
        batch_size=5_000,
    )
    return funds


def timed(ask: Any, answers: list[int]) -> tuple[float, float]:
    """Milliseconds by the clock and of the processor: on a shared machine the first counts what others did."""
    began, busy = time.perf_counter(), time.process_time()
    answers.append(ask())
    return (time.perf_counter() - began) * 1000, (time.process_time() - busy) * 1000


def run(entries: int) -> dict[str, Any]:
    """Fill, ask, compare."""
    from django.db.models import Sum

    from doudi.contexts.charity import ledger
    from doudi.contexts.charity.models import FundLine

    began = time.monotonic()
    funds = fill(entries)
    filled = time.monotonic() - began
    rng = np.random.default_rng(SEED + 1)
    days = [FIRST + timedelta(days=int(day)) for day in rng.integers(0, 365 * YEARS, len(funds))]
    # the connection is opened, and both questions compiled, before anything is timed
    ledger.balance(funds[-1], "money")
    ledger.balance_on(funds[-1], "money", days[-1])
    now: list[int] = []
    then: list[int] = []
    plain: list[int] = []
    plain_then: list[int] = []
    took_now = [timed(lambda fund=fund: ledger.balance(fund, "money"), now) for fund in funds]
    took_then = [
        timed(lambda fund=fund, day=day: ledger.balance_on(fund, "money", day), then)
        for fund, day in zip(funds, days, strict=True)
    ]

    def summed(fund: Any, **more: Any) -> int:
        lines = FundLine.objects.filter(fund=fund, account="money", **more)
        return int(lines.aggregate(total=Sum("amount_fen"))["total"] or 0)

    took_plain = [timed(lambda fund=fund: summed(fund), plain) for fund in funds]
    for fund, day in zip(funds, days, strict=True):
        plain_then.append(summed(fund, on__lte=day))
    if (now, then) != (plain, plain_then):
        raise SystemExit("balances differ from the plain sums")
    return {
        "entries": entries,
        "funds": len(funds),
        "largest_fund_entries": int((draw(entries)["fund"] == 0).sum()),
        "fill_seconds": round(filled, 1),
        "balance_ms": _figures(took_now),
        "balance_on_a_day_ms": _figures(took_then),
        "plain_sum_ms": _figures(took_plain),
        "equal_to_the_fen": True,
    }


def _figures(took: list[tuple[float, float]]) -> dict[str, float]:
    clock, busy = ([row[at] for row in took] for at in (0, 1))
    late = sorted(clock)[int(len(clock) * 0.99) - 1]
    return {
        "median": round(statistics.median(clock), 3),
        "p99": round(late, 3),
        "worst": round(max(clock), 3),
        "worst_cpu": round(max(busy), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=float, default=1e6)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DOUDI_HOME"] = folder
        from doudi.cli.shell import open_office

        open_office(quiet=True)
        print(json.dumps(run(int(asked.entries)), ensure_ascii=False))


if __name__ == "__main__":
    main()
