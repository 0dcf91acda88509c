"""``doudi audit``: is the log whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from doudi.cli.shell import answer, open_office
from doudi.engine.errors import DoudiError

app = typer.Typer(no_args_is_help=True, help="审计日志 audit log")


@app.callback()
def _group() -> None:
    """审计日志 audit log."""


@app.command()
def verify(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """核对审计链：改动、删除或插入的条目会被找出来 / find a changed, removed or inserted entry."""
    open_office(quiet=as_json)
    from doudi.contexts.accounts.services import verify_audit

    report = verify_audit()
    answer(
        {"entries": report.entries, "whole": report.whole, "first_break": report.first_break},
        as_json=as_json,
        words=f"{report.entries} 条，"
        + (
            "链条完整 / whole"
            if report.whole
            else f"第 {report.first_break} 条处断开 / broken at {report.first_break}"
        ),
    )
    if not report.whole:
        raise typer.Exit(1)


@app.command()
def anchor(
    to: Annotated[
        Path | None, typer.Option(help="写到文件：.pdf 打印用，其他为 JSON / file: .pdf to print, else JSON")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """给今天的日志末端签名，打印或寄存到别处；一天一份 / sign the end of today's log, to be printed or kept elsewhere."""
    open_office(quiet=as_json)
    from doudi.contexts.accounts.services import anchor_audit, system_user, told

    said = told(anchor_audit(by=system_user()))
    if to is not None:
        if to.exists():
            raise DoudiError(f"{to} 已经存在。", f"{to} exists.", code="file_exists")
        to.write_bytes(_as_pdf(said) if to.suffix.lower() == ".pdf" else json.dumps(said, indent=1).encode())
    answer(
        {**said, "file": str(to) if to else None},
        as_json=as_json,
        words="\n".join(f"{name}: {value}" for name, value in said.items()),
    )


@app.command()
def compare(
    file: Annotated[Path, typer.Argument(help="以前的锚点（JSON）/ an anchor that was kept")],
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """拿寄存在别处的锚点核对今天的日志；整本日志被重写也会被发现 / hold a kept anchor against the log of today."""
    open_office(quiet=as_json)
    from doudi.contexts.accounts.services import compare_anchor, system_user

    report = compare_anchor(file.read_text(encoding="utf-8"), by=system_user())
    wrong = [
        words
        for fault, words in (
            (not report.signed, "签名不对，锚点被改动过 / the signature does not hold"),
            (not report.own_key, "不是本系统的签名钥 / another office's key"),
            (
                not report.in_the_log,
                f"日志第 {report.entries} 条与锚点不符，日志被改写过 / the log was rewritten",
            ),
        )
        if fault
    ]
    answer(
        {"entries": report.entries, "on": report.on, "signed": report.signed, "own_key": report.own_key,
         "in_the_log": report.in_the_log, "whole": report.whole},
        as_json=as_json,
        words="；".join(wrong) or f"{report.on} 的 {report.entries} 条都还在 / the log holds what it said then",
    )  # fmt: skip
    if wrong:
        raise typer.Exit(1)


def _as_pdf(said: dict[str, Any]) -> bytes:
    from doudi.house.documents import Paper, table, text, to_pdf

    labels = {
        "on": "日期", "entries": "日志条数", "head": "末条摘要", "made_at": "制作时间（UTC）", "public_key": "公钥",
        "signature": "签名",
    }  # fmt: skip

    def cut(value: Any) -> str:
        words = str(value)
        return (
            " ".join(words[start : start + 16] for start in range(0, len(words), 16))
            if len(words) > 40
            else words
        )

    rows: list[tuple[str, ...]] = [(labels[name], cut(value)) for name, value in said.items()]
    return to_pdf(
        Paper(
            title="审计日志锚点",
            subtitle=f"{said['on']}",
            blocks=(
                text(
                    "下列签名证明：这一天审计日志有这么多条，末条摘要如下。请另存一处；以后用 doudi audit compare 核对。"
                ),
                table(("项目", "内容"), rows),
            ),
            foot=("保管人：", f"{said['on']}"),
        )
    )
