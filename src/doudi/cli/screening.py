"""``doudi screen``, ``doudi explain`` and ``doudi simulate``."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from doudi.cli.shell import answer, console, open_office, parse_change, parse_date

Json = Annotated[bool, typer.Option("--json", help="一个 JSON 对象到标准输出 / one JSON object on stdout")]
AsOf = Annotated[
    date, typer.Option("--as-of", parser=parse_date, help="数据日期 / as-of date", metavar="DATE")
]


def screen(
    as_of: AsOf,
    engine: Annotated[str, typer.Option(help="duckdb 或 spark / duckdb or spark")] = "duckdb",
    master: Annotated[str | None, typer.Option(help="Spark 主节点 / Spark master URL")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="全部重算，不只算有变化的户 / everybody, not the changed alone")
    ] = False,
    chunks: Annotated[int | None, typer.Option(help="分段数 / household ranges", min=1)] = None,
    as_json: Json = False,
) -> None:
    """筛查全部家庭，更新预警 / screen every household and bring the warnings up to date."""
    if engine not in ("duckdb", "spark"):
        raise typer.BadParameter("--engine 只有 duckdb 和 spark / must be duckdb or spark")
    options: dict[str, Any] = {} if engine == "duckdb" else {"engine": "spark", "master": master}
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    with Progress(
        TextColumn("筛查 / screening"), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn(),
        console=console, transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=None)
        run = chain.screen(
            as_of=as_of,
            by=system_user(),
            chunks=chunks,
            full=full,
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
            **options,
        )
    if run.missing:
        labels = [chain.rules()[0].feeds[name].label for name in run.missing]
        console.print(
            f"缺少 {len(labels)} 种数据，相关结论为“待核”：{'、'.join(labels)} / missing feeds",
            style="yellow",
        )
    result = {
        "run": run.pk,
        "as_of": as_of,
        "households": run.households,
        "persons": run.persons,
        "seconds": round(run.seconds, 3),
        "pack": run.pack,
        "pack_hash": run.pack_hash,
        "warnings": run.warnings,
        "missing": run.missing,
        "recomputed": run.recomputed,
        "why_full": run.why_full,
    }
    how = (
        f"（{run.why_full or '全部重算'}）"
        if run.recomputed is None
        else f"（只重算有变化的 {run.recomputed} 户）"
    )
    changes = run.warnings
    answer(
        result,
        as_json=as_json,
        words=f"{as_of} 筛查 {run.households} 户 {run.persons} 人，用时 {run.seconds:.2f} 秒{how}；"
        f"预警新增 {changes['opened']}、更新 {changes['updated']}、消除 {changes['closed']}",
    )


def explain(
    household_no: Annotated[str, typer.Argument(help="户编号 / household number")],
    as_of: AsOf,
    as_json: Json = False,
) -> None:
    """解释一户：每个变量的值、依据和一段可以念给家庭听的话 / every variable, its ground, and a paragraph to read aloud."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import record, system_user

    found = chain.explain(household_no, as_of=as_of)
    record(by=system_user(), act="explain", subject=f"household:{household_no}", detail={"as_of": as_of})
    answer(found.to_json(), as_json=as_json, words=found.paragraph)


def simulate(
    as_of: AsOf,
    settings: Annotated[
        list[str], typer.Option("--set", help="参数=值[@地区]，可多次 / PARAMETER=VALUE[@REGION]")
    ],
    as_json: Json = False,
) -> None:
    """改一个标准会怎样：谁得益、谁失去、要多少钱 / what a new standard would do."""
    changes = dict(parse_change(text) for text in settings)
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    outcome = chain.simulate(as_of=as_of, changes=changes, by=system_user())
    answer(outcome.to_json(), as_json=as_json, words=str(outcome))


def replay(
    run: Annotated[int, typer.Argument(help="筛查编号（doudi screen 回答里的 run）/ run number")],
    as_json: Json = False,
) -> None:
    """用当时的政策包和当时的数据重算一次筛查，说结果是否一致 / compute a screen again and say whether it is the same."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    outcome = chain.replay(run, by=system_user())
    words = (
        "结果一致 / equal"
        if outcome.equal
        else f"结果不一致 / differs: {outcome.expected[:12]} {outcome.found[:12]}"
    )
    answer(outcome.to_json(), as_json=as_json, words=f"第 {run} 次筛查（{outcome.as_of}）{words}")
    if not outcome.equal:
        raise typer.Exit(1)
