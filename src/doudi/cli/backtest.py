"""``doudi backtest``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from doudi.cli.screening import AsOf, Json
from doudi.cli.shell import answer, open_office, parse_change

if TYPE_CHECKING:
    from doudi.contexts.monitoring.services import BackTested


def backtest(
    indicator: Annotated[str, typer.Argument(help="指标代码，如 M1 / indicator code")],
    as_of: AsOf,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="试的值 参数=值[@地区]，可多次，一次一个方案；一个方案改几个参数用分号隔开"
            " / one alternative each: PARAMETER=VALUE[@REGION][;…]",
        ),
    ] = None,
    months: Annotated[int, typer.Option(help="回看几个整月 / whole months back", min=1, max=60)] = 12,
    as_json: Json = False,
) -> None:
    """换一条预警线会怎样：每月新增多少户，其中多少已核实给予帮助 / what a threshold would have raised, and what came of it."""
    alternatives = [
        dict(parse_change(part) for part in text.replace("；", ";").split(";") if part.strip())
        for text in settings or []
    ]
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    found = chain.back_test(
        indicator, as_of=as_of, alternatives=alternatives, months=months, by=system_user()
    )
    answer(found.to_json(), as_json=as_json, words=_words(found))


def _words(found: BackTested) -> str:
    from doudi import chain
    from doudi.contexts.registry.services import region_name

    test = found.test
    labels = chain.rules()[0].label
    lines = [
        f"回测 {test.indicator} {test.name}：{test.months[0]:%Y-%m} 至 {test.months[-1]:%Y-%m}，"
        f"{len(test.months)} 个整月，{test.households} 户"
    ]
    for one in found.trials:
        work = one.trial.forecast()
        lines.append(
            f"{one.trial.label or '现行值'}：新增 {one.trial.total} 户，每月 {work.mean:g} 户"
            f"（{work.least}–{work.most}）；已预警 {one.outcome.warned}，已入户 {one.outcome.visited}，"
            f"其中已给予帮助 {one.outcome.helped}"
        )
        lines += [
            f"  {region_name(row.region)}：每月 {row.mean:g} 户（{row.least}–{row.most}）"
            for row in one.trial.by_region()
            if row.most
        ]
    if test.missing:
        lines.append(f"待核：缺少 {'、'.join(labels(feed) for feed in test.missing)}，有关各月不能断定。")
    if test.standing:
        lines.append(
            f"没有历史、按现有一份计算的数据：{'、'.join(labels(feed) for feed in test.standing)}；花名册也是现在的。"
        )
    return "\n".join(lines)
