"""``doudi pack``: check, test, compare, show and begin policy packs. It opens no database."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from doudi.cli.shell import answer, parse_date

app = typer.Typer(no_args_is_help=True, help="政策包 policy packs: check, test, diff, show, new")

Folder = Annotated[Path, typer.Argument(help="政策包文件夹 / pack folder", metavar="DIR")]
Json = Annotated[bool, typer.Option("--json", help="一个 JSON 对象到标准输出 / one JSON object on stdout")]


@app.command()
def check(folder: Folder, as_json: Json = False) -> None:
    """检查政策包，指出文件和行 / every fault of a pack with its file and line."""
    from doudi.engine.packs import check_pack

    problems = check_pack(folder)
    answer(
        {"problems": [problem.to_json() for problem in problems]},
        as_json=as_json,
        words="\n".join(str(problem) for problem in problems) or f"{folder} 没有发现问题 / no problem found",
    )
    if problems:
        raise typer.Exit(1)


@app.command()
def test(folder: Folder, as_json: Json = False) -> None:
    """跑政策包里的例，并说出哪些条件从没试过 / run the worked cases and name conditions never tried."""
    from doudi.engine.packs import test_pack

    report = test_pack(folder)
    answer(report.to_json(), as_json=as_json, words=str(report))
    if not report.passed:
        raise typer.Exit(1)


@app.command()
def diff(
    one: Annotated[Path, typer.Argument(help="政策包 A / pack A", metavar="A")],
    other: Annotated[Path, typer.Argument(help="政策包 B / pack B", metavar="B")],
    as_json: Json = False,
) -> None:
    """两个政策包哪里不同 / where two packs differ."""
    from doudi.engine.packs import diff_packs, load_pack

    found = diff_packs(load_pack(one), load_pack(other))
    answer(
        {"differences": [difference.to_json() for difference in found]},
        as_json=as_json,
        words="\n".join(str(difference) for difference in found) or "没有不同 / no difference",
    )


@app.command()
def show(
    rule: Annotated[str, typer.Argument(help="规则、参数或代码的名字 / name of a rule, parameter or code")],
    region: Annotated[str, typer.Option(help="行政区划代码 / region code")] = "",
    on: Annotated[
        date | None, typer.Option("--on", parser=parse_date, metavar="DATE", help="日期 / date")
    ] = None,
    folder: Annotated[Path, typer.Option("--pack", help="政策包文件夹 / pack folder")] = Path(
        "packs/reference"
    ),
    as_json: Json = False,
) -> None:
    """一条规则在某地某日的有效文本，和每一部分的出处 / the effective text of a rule and where each part comes from."""
    from doudi.engine.packs import load_pack, show_rule

    found = show_rule(load_pack(folder), rule, region=region, on=on or date.today())  # noqa: DTZ011
    answer(found.to_json(), as_json=as_json, words=str(found))


@app.command()
def new(
    folder: Folder,
    parent: Annotated[
        str,
        typer.Option("--from", help="上级政策包：文件夹或随附包的名称 / parent: folder or name", metavar="P"),
    ],
    region: Annotated[str, typer.Option("--region", help="行政区划代码 / region code", metavar="R")],
    as_json: Json = False,
) -> None:
    """以上级政策包为底，开一个县的政策包 / begin a county's pack on top of a parent."""
    from doudi.engine.packs import load_pack, new_pack

    new_pack(load_pack(Path(parent)) if Path(parent).is_dir() else parent, region, folder)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    answer(
        {"folder": str(folder), "files": files},
        as_json=as_json,
        words=f"已建 {folder}：{'、'.join(files)}。下一步：填写本县标准和例，再运行 doudi pack check {folder}",
    )
