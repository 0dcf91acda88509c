"""``doudi doubts``: search for what an audit asks, and write the rectification report."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from doudi.cli.shell import answer, open_office, parse_date
from doudi.engine.money import show_yuan

app = typer.Typer(no_args_is_help=True, help="疑点核查 doubts: find, report")

Json = Annotated[bool, typer.Option("--json", help="一个 JSON 对象到标准输出 / one JSON object on stdout")]


def _day(name: str, text: str) -> date:
    return typer.Option(name, parser=parse_date, help=text, metavar="DATE")  # type: ignore[no-any-return]


@app.callback()
def _group() -> None:
    """疑点核查 doubts."""


@app.command()
def find(
    as_of: Annotated[date, _day("--as-of", "数据日期 / as-of date")],
    as_json: Json = False,
) -> None:
    """筛查疑点：死亡后领取、在押、重复、有车有房有企业 / find who was paid and should not have been."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    done = chain.find_doubts(as_of=as_of, by=system_user())
    rules = chain.doubt_rules()
    unasked = "、".join(rules.kinds[code].label for code in done.unasked)
    answer(
        {"as_of": as_of, "counts": done.counts, "unasked": done.unasked},
        as_json=as_json,
        words=f"{as_of} 疑点新增 {done.counts['opened']}、更新 {done.counts['updated']}、消失 {done.counts['gone']}"
        + (f"；未查（数据未到，不等于没有）：{unasked}" if unasked else ""),
    )


@app.command()
def report(
    since: Annotated[date, _day("--since", "自哪天发现的 / found from")],
    until: Annotated[date, _day("--until", "到哪天 / found until")],
    to: Annotated[Path, typer.Option("--to", help="写到 .docx 或 .pdf / a .docx or .pdf file")],
    region: Annotated[str, typer.Option(help="行政区划代码 / division code")] = "",
    as_json: Json = False,
) -> None:
    """写整改报告（Word 或 PDF）/ write the rectification report."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    by = system_user()
    content, digest = chain.export_rectification(
        since=since, until=until, region_code=region, form=to.suffix.lstrip("."), by=by
    )
    to.write_bytes(content)
    total = chain.rectify(since=since, until=until, region_code=region, by=by).total
    answer(
        {"file": str(to), "content": digest, "found": total.found, "outstanding_fen": total.outstanding_fen},
        as_json=as_json,
        words=f"{to}：疑点 {total.found} 条，属实 {total.true} 条，未追回 {show_yuan(total.outstanding_fen)}",
    )
