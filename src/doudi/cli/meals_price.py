"""``doudi meals price``: what a meal costs somebody by the pack, each fen explained (助餐价格试算)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from doudi.cli.shell import answer
from doudi.engine.errors import DoudiError
from doudi.engine.meals import Eater, SoFar
from doudi.engine.meals import price as reckon
from doudi.engine.money import parse_fen, show_yuan
from doudi.engine.packs.meals import load_prices


def price(
    age: Annotated[int, typer.Option(min=0, max=130, help="年龄 · age in full years")],
    list_price: Annotated[str, typer.Option("--list", help="标价（元）· list price in yuan")],
    on: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="就餐日期，默认今天 · the day of the meal, today by default"),
    ] = None,
    pack: Annotated[Path, typer.Option(help="政策包 · folder of the pack")] = Path("packs/cn"),
    category: Annotated[str, typer.Option(help="救助类别，如 低保 · registered category")] = "",
    residence: Annotated[str, typer.Option(help="居住地区划代码 · division of residence")] = "520102",
    registered: Annotated[
        str, typer.Option(help="户籍地区划代码，默认同居住地 · division of registration")
    ] = "",
    times_today: Annotated[int, typer.Option(min=0, help="今天已补贴次数 · times subsidised today")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="输出 JSON · one JSON object on standard output")
    ] = False,
) -> None:
    """按政策包试算一餐，逐步说明每一分钱 · The receipt of one meal by a pack."""
    fen, fault = parse_fen(list_price)
    if fen is None or fault is not None:
        raise DoudiError(f"“{list_price}”不是金额。", f"{list_price!r} is no sum.", code="money_invalid")
    scheme = load_prices(pack).on((on or datetime.now().astimezone()).date())
    eater = Eater(age, residence, registered or residence, category)
    got = reckon(scheme, eater, fen, SoFar(subsidised_today=times_today))
    words = "\n".join(
        f"{show_yuan(line.fen):>12}  {show_yuan(line.left_fen):>12}  {line.zh} / {line.en}"
        for line in got.lines
    )
    answer({"scheme": scheme.name, **asdict(got)}, as_json=as_json, words=words)
