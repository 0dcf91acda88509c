"""``doudi registry``: people who stand in the registry twice."""

from __future__ import annotations

from typing import Annotated

import typer

from doudi.cli.shell import answer, open_office

app = typer.Typer(no_args_is_help=True, help="登记 registry")
duplicates = typer.Typer(no_args_is_help=True, help="查重 people who stand twice: find, list, decide, reopen")
app.add_typer(duplicates, name="duplicates")

Json = Annotated[bool, typer.Option("--json", help="一个 JSON 对象到标准输出 / one JSON object on stdout")]


@app.callback()
def _group() -> None:
    """登记 registry."""


@duplicates.command()
def find(
    region: Annotated[str, typer.Option(help="行政区划代码，空为全部 / region, empty for all")] = "",
    as_json: Json = False,
) -> None:
    """在全部在册人员中查重，疑似的进入待判定清单 / search everybody; likely pairs join the queue."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    outcome = chain.find_duplicates(by=system_user(), region_code=region)
    words = (
        f"比对 {outcome.people} 人：新增 {outcome.new} 对，仍待判定 {outcome.again} 对，"
        f"已判定不再问 {outcome.settled} 对，不再相似 {outcome.gone} 对，自动合并 {outcome.merged} 对"
    )
    if outcome.keys_too_common:
        words += f"；{outcome.keys_too_common} 个过于常见的比对键没有使用"
    answer(vars(outcome), as_json=as_json, words=words)


@duplicates.command(name="list")
def list_pairs(
    status: Annotated[str, typer.Option(help="open waiting doubtful same different gone")] = "open",
    as_json: Json = False,
) -> None:
    """列出疑似重复，不显示证件号 / list the pairs, without ID numbers."""
    open_office(quiet=as_json)
    from doudi.contexts.accounts.services import system_user
    from doudi.contexts.registry import services as registry

    rows = [
        {
            "pair": pair.pk,
            "status": pair.status,
            "probability": round(pair.probability, 4),
            "people": [pair.first_id, pair.second_id],
            "regions": [pair.first_region, pair.second_region],
            "grades": pair.grades,
        }
        for pair in registry.duplicate_pairs(by=system_user(), status=status)
    ]
    words = "\n".join(
        f"{row['pair']:>6}  {row['probability']:.4f}  {row['status']:<9} {row['people'][0]} / {row['people'][1]}"
        for row in rows
    )
    answer({"pairs": rows}, as_json=as_json, words=words or "没有 / none")


@duplicates.command()
def decide(
    pair: Annotated[int, typer.Argument(help="编号 / pair")],
    verdict: Annotated[str, typer.Argument(help="same different doubtful")],
    ground: Annotated[str, typer.Option(help="理由 / ground")],
    keep: Annotated[int, typer.Option(help="判同一人时保留的人员编号 / the person that stays")] = 0,
    as_json: Json = False,
) -> None:
    """判定一对是不是同一人；同一人随即合并 / decide a pair; one person is merged at once."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    decided = chain.decide_pair(pair, verdict=verdict, ground=ground, keep=keep or None, by=system_user())
    answer(
        {"pair": decided.pk, "status": decided.status, "merge": decided.merge_number},
        as_json=as_json,
        words=f"{decided}：{decided.get_status_display()}",
    )


@duplicates.command()
def reopen(
    pair: Annotated[int, typer.Argument(help="编号 / pair")],
    ground: Annotated[str, typer.Option(help="理由 / ground")],
    as_json: Json = False,
) -> None:
    """撤销判定；已合并的恢复为两人 / take a decision back; merged people are two again."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    opened = chain.reopen_pair(pair, ground=ground, by=system_user())
    answer(
        {"pair": opened.pk, "status": opened.status},
        as_json=as_json,
        words=f"{opened}：{opened.get_status_display()}",
    )
