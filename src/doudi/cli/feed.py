"""``doudi feed``: check, load and list department files."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from doudi.cli.shell import answer, console, open_office, parse_date, say_error

app = typer.Typer(no_args_is_help=True, help="部门数据：检查、装载 department feeds: check, load, list")

Json = Annotated[bool, typer.Option("--json", help="一个 JSON 对象到标准输出 / one JSON object on stdout")]
AsOf = Annotated[
    date | None, typer.Option("--as-of", parser=parse_date, help="数据日期 / as-of date", metavar="DATE")
]


@app.command()
def check(
    feed: Annotated[str, typer.Argument(help="数据种类，如 medical 或 医疗结算 / feed")],
    file: Annotated[Path, typer.Argument(help="文件 / file")],
    returns: Annotated[
        Path | None, typer.Option(help="把退回单写到这里（xlsx）/ quarantine workbook")
    ] = None,
    as_json: Json = False,
) -> None:
    """检查一个文件，什么也不保存 / check a file and keep nothing."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    name, counts = chain.check_file(feed, file, by=system_user(), returns=returns)
    answer({"feeds": {name: counts}}, as_json=as_json, words=_line(name, counts))


@app.command()
def load(
    feed: Annotated[
        str | None, typer.Argument(help="数据种类；用 --dir 时不写 / feed, not with --dir")
    ] = None,
    file: Annotated[Path | None, typer.Argument(help="文件 / file")] = None,
    directory: Annotated[Path | None, typer.Option("--dir", help="装载整个文件夹 / a whole folder")] = None,
    as_of: AsOf = None,
    source: Annotated[
        str, typer.Option(help="来源单位：同一种数据由几家分别报送时写 / sender, where several send one feed")
    ] = "",
    returns: Annotated[
        Path | None, typer.Option(help="把退回单写到这个文件夹 / folder for quarantine workbooks")
    ] = None,
    as_json: Json = False,
) -> None:
    """装载一个文件或整个文件夹；同一文件再装一次不改变任何东西 / load a file or a folder; the same again changes nothing."""
    if (directory is None) == (feed is None or file is None):
        raise typer.BadParameter("写 FEED FILE，或写 --dir DIR / give FEED FILE, or --dir DIR")
    if directory is None and as_of is None:
        raise typer.BadParameter("请写明数据日期 --as-of，例如 --as-of 2024-11-15 / give --as-of DATE")
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    by = system_user()
    if directory is None:
        assert file is not None and as_of is not None
        outcomes = [chain.take_in_file(feed, file, as_of=as_of, by=by, source=source)]
    else:
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        ) as bar:
            task = bar.add_task("装载 / loading …")
            outcomes = chain.take_in_folder(
                directory,
                as_of=as_of,
                by=by,
                progress=lambda what: bar.update(task, description=f"已装载 {what}"),
            ).outcomes
    feeds: dict[str, Any] = {}
    refused = []
    for outcome in outcomes:
        if outcome.problem is not None:
            say_error(outcome.problem)
            refused.append({"file": outcome.file, "feed": outcome.feed, "code": outcome.problem.code})
            continue
        feeds[outcome.feed] = (
            _added(feeds[outcome.feed], outcome.counts) if outcome.feed in feeds else outcome.counts
        )
        if returns is not None and outcome.counts["quarantined"] and outcome.load is not None:
            _write_return(returns, outcome)
    said = "\n".join(_line(name, counts) for name, counts in feeds.items())
    if any(outcome.unchanged for outcome in outcomes):
        console.print(
            f"{sum(o.unchanged for o in outcomes)} 个文件此前已装载，没有变化 / already in force, unchanged",
            style="dim",
        )
    result: dict[str, Any] = {"feeds": feeds}
    if refused:
        result["refused"] = refused
    answer(result, as_json=as_json, words=said)
    if refused:
        raise typer.Exit(1)


@app.command(name="list")
def list_loads(as_json: Json = False) -> None:
    """列出装载过的文件 / list what was loaded."""
    open_office(quiet=as_json)
    from doudi.contexts.accounts.services import system_user
    from doudi.contexts.registry import services as registry

    rows = [
        {
            "feed": load.feed,
            "as_of": load.as_of,
            "file": load.file_name,
            "status": load.status,
            "loaded_at": load.loaded_at,
            "by": load.loaded_by,
            "counts": counts,
        }
        for load, counts in registry.counted(registry.loads(by=system_user()))
    ]
    words = "\n".join(f"{r['as_of']}  {r['feed']:<20} {r['status']:<11} {r['file']}" for r in rows)
    answer({"loads": rows}, as_json=as_json, words=words or "还没有装载过文件 / nothing loaded yet")


def _line(name: str, counts: dict[str, Any]) -> str:
    grades = counts.get("grades")
    matched = (
        f"  A {grades['A']} B {grades['B']} C {grades['C']}  线索 {counts['leads']}  册外 {counts['not_registered']}"
        if grades
        else ""
    )
    return (
        f"{name:<20} 读 {counts['read']}  有效 {counts['good']}  修正 {counts['mended']}"
        f"  重复 {counts['duplicates']}  隔离 {counts['quarantined']}{matched}"
    )


def _added(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Counts of two files of one feed together."""
    total: dict[str, Any] = {}
    for key in {**one, **other}:
        a, b = one.get(key), other.get(key)
        if isinstance(a, dict) or isinstance(b, dict):
            total[key] = _added(a or {}, b or {})
        else:
            total[key] = (a or 0) + (b or 0)
    return total


def _write_return(folder: Path, outcome: Any) -> None:
    from doudi.contexts.accounts.services import system_user
    from doudi.contexts.registry import services as registry
    from doudi.house.keyring import write_aside

    place = folder / f"{Path(outcome.file).stem}-退回.xlsx"
    write_aside(place, registry.quarantine_workbook(outcome.load, by=system_user()))
    console.print(f"退回单 / quarantine: {place}")
