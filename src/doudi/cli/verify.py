"""``doudi verify``: sources asked by list or connection, replies in, reports out and checked again."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from doudi.cli.shell import answer, console, open_office, parse_date
from doudi.engine.errors import DoudiError

app = typer.Typer(no_args_is_help=True, help="家庭经济状况核对 household economic-status verification")
Json = Annotated[bool, typer.Option("--json", help="一个 JSON 对象到标准输出 / one JSON object on stdout")]
As = Annotated[
    str, typer.Option("--as", help="以哪个账号的身份办理 / the account that acts", metavar="ACCOUNT")
]


@app.callback()
def _group() -> None:
    """家庭经济状况核对 household economic-status verification."""


def _acting(name: str) -> Any:
    from doudi.contexts.accounts.services import account

    return account(name)


@app.command("list")
def query_list(
    source: Annotated[str, typer.Argument(help="来源代码 / source code")],
    to: Annotated[Path, typer.Option("--to", help="写到哪个文件 / where to write the workbook")],
    acting: As,
    as_json: Json = False,
) -> None:
    """待查询名单，按来源部门自己的表样；写到 .zip 的用约定口令加密 / a source's open queries in its own layout; a .zip is
    encrypted with the agreed password."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.house.keyring import write_aside

    listed = chain.locked_query_list if to.suffix.lower() == ".zip" else chain.query_list
    batch, content = listed(source, by=_acting(acting))
    write_aside(to, content)
    told = {"batch": batch.number, "source": source, "queries": batch.queries.count(), "file": str(to)}
    answer(told, as_json=as_json, words=f"{told['queries']} 项查询 → {to}（批次 {batch.number}）")


@app.command()
def reply(
    source: Annotated[str, typer.Argument(help="来源代码 / source code")],
    file: Annotated[Path, typer.Argument(help="部门回复的文件 / the department's reply")],
    as_of: Annotated[
        date, typer.Option("--as-of", parser=parse_date, metavar="DATE", help="数据日期 / as-of date")
    ],
    acting: As,
    incomplete: Annotated[bool, typer.Option("--incomplete", help="没有的人还没查完，不算查无")] = False,
    as_json: Json = False,
) -> None:
    """部门回复入库：对上在查的人，其余不留 / take a reply in; who was not asked for is not kept."""
    open_office(quiet=as_json)
    from doudi import chain

    outcome = chain.take_reply(source, file, as_of=as_of, by=_acting(acting), complete=not incomplete)
    told = {
        "answered": outcome.answered,
        "with_rows": outcome.with_rows,
        "no_record": outcome.no_record,
        "not_asked_for": outcome.not_asked_for,
        "quarantined": outcome.quarantined,
        "late": outcome.late,
    }
    answer(
        told,
        as_json=as_json,
        words=f"回复 {outcome.answered} 项（查得 {outcome.with_rows}，查无 {outcome.no_record}），"
        f"未委托的人 {outcome.not_asked_for} 行不留，坏行 {outcome.quarantined}",
    )


@app.command()
def ask(
    source: Annotated[str, typer.Argument(help="来源代码 / source code")],
    acting: As,
    as_json: Json = False,
) -> None:
    """向直连的来源发出全部待查询 / ask a connected source everything that is open."""
    open_office(quiet=as_json)
    from doudi import chain

    outcome = chain.ask_source(source, by=_acting(acting))
    words = (
        f"询问 {outcome.asked} 项：查得 {outcome.known}，查无 {outcome.no_record}，稍后 {outcome.pending}，"
        f"失败 {outcome.failed}，再试 {outcome.again}，拒收 {outcome.refused}"
    )
    for why in (outcome.held_back, outcome.problem):
        words += f"\n{why}" if why else ""
    answer(outcome.to_json(), as_json=as_json, words=words)
    if outcome.problem or (outcome.held_back and not outcome.asked):
        raise typer.Exit(1)


_OBLIGOR = {
    "姓名": "name", "与被赡养人关系": "relation", "赡养成员次序": "supported", "判决协议": "judged", "实际支付": "paid",
    "义务人类别": "category", "家庭人口": "persons", "家庭月收入": "income", "赡养老人数": "parents",
}  # fmt: skip
"""Header of the table of supporters → field; amounts in 元 a month, the members' positions joined by ;"""


def _obligors(path: Path) -> list[Any]:
    """The supporters of a CSV (UTF-8); raises :class:`DoudiError` with the line."""
    import csv

    from doudi.engine import money
    from doudi.engine.verification import Obligor

    with path.open(encoding="utf-8-sig", newline="") as handle:
        lines = list(csv.DictReader(handle))
    told = []
    for place, line in enumerate(lines, 2):
        given = {field: (line.get(header) or "").strip() for header, field in _OBLIGOR.items()}
        try:
            amounts = {
                field: None if given[field] == "" else money.parse_fen(given[field])
                for field in ("judged", "paid", "income")
            }
            if any(amount is not None and amount[0] is None for amount in amounts.values()):
                raise ValueError("金额")
            fen = {field: None if amount is None else amount[0] for field, amount in amounts.items()}
            told.append(
                Obligor(
                    name=given["name"],
                    relation=given["relation"],
                    supported=tuple(int(part) for part in given["supported"].split(";") if part),
                    judged=fen["judged"],
                    paid=fen["paid"],
                    category=given["category"],
                    persons=int(given["persons"] or 0),
                    income=fen["income"] or 0,
                    parents=int(given["parents"] or 0),
                )
            )
        except ValueError:
            raise DoudiError(
                f"{path.name} 第 {place} 行读不懂。金额写元，人数写整数；表头：{'、'.join(_OBLIGOR)}。",
                f"{path.name}, line {place} cannot be read; the headers are {', '.join(_OBLIGOR)}.",
                code="support_unreadable",
            ) from None
    return told


@app.command()
def support(
    number: Annotated[str, typer.Argument(help="委托单号 / request number")],
    acting: As,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="赡养人的 CSV，每人一行 / a CSV of the supporters", exists=True),
    ] = None,
    nobody: Annotated[
        bool, typer.Option("--none", help="没有不共同生活的法定赡养人 / there is none")
    ] = False,
    as_json: Json = False,
) -> None:
    """登记不共同生活的法定赡养人（整张表替换上一次）/ state the legal supporters who live apart; the whole list each time."""
    if (file is None) != nobody:
        raise typer.BadParameter("--file 和 --none 二选一 / give one of them")
    open_office(quiet=as_json)
    from doudi import chain

    obligors = _obligors(file) if file is not None else []
    if file is not None and not obligors:
        raise DoudiError(
            f"{file.name} 里没有赡养人。确实没有的用 --none。",
            f"{file.name} names nobody; use --none if there is none.",
            code="support_incomplete",
        )
    statement = chain.state_support(number, obligors, by=_acting(acting))
    told = {"request": number, "statement": statement.pk, "obligors": len(obligors)}
    answer(told, as_json=as_json, words=f"委托单 {number}：登记赡养人 {len(obligors)} 名")


@app.command()
def batch(
    file: Annotated[
        Path, typer.Argument(help="户编号、用途等列的表格 / a workbook of households", exists=True)
    ],
    requested_by: Annotated[str, typer.Option("--for", help="委托单位 / who requests")],
    acting: As,
    marked: Annotated[
        Path | None, typer.Option("--marked", help="标注结果的表格写到哪里 / where the results go")
    ] = None,
    as_json: Json = False,
) -> None:
    """批量委托：表格里每户一份委托单，结果写回表格 / open a request for each household of a workbook."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.verification import services as verification
    from doudi.house.keyring import write_aside

    by = _acting(acting)
    made = chain.request_batch(file, file_name=file.name, requested_by=requested_by, by=by)
    if marked is not None:
        write_aside(marked, verification.marked_of(made.number, by=by))
    told = {"batch": made.number, "opened": made.opened, "refused": made.refused}
    answer(
        told, as_json=as_json, words=f"批次 {made.number}：受理 {made.opened} 户，未受理 {made.refused} 户"
    )
    if made.refused and not made.opened:
        raise typer.Exit(1)


@app.command()
def recheck(
    purpose: Annotated[str, typer.Argument(help="用途代码 / purpose, such as dibao")],
    as_of: Annotated[
        date, typer.Option("--as-of", parser=parse_date, metavar="DATE", help="核对基准日 / reference date")
    ],
    requested_by: Annotated[str, typer.Option("--for", help="委托单位 / who requests")],
    acting: As,
    whole: Annotated[
        bool, typer.Option("--whole", help="整批比对已装载的数据，一次办完 / in one pass over loaded files")
    ] = False,
    since: Annotated[
        date | None,
        typer.Option(
            "--since",
            parser=parse_date,
            metavar="DATE",
            help="与哪天的数据比，默认上次整批的基准日 / held against",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """定期复查：为辖区内享受某项救助的每一户建立委托单，或用 --whole 整批比对 / open a re-check for everyone on a programme,
    or begin one pass over everybody; `verify sift` does it."""
    if since is not None and not whole:
        raise typer.BadParameter("--since 只用于 --whole / goes with --whole")
    open_office(quiet=as_json)
    from doudi import chain

    if whole:
        begun = chain.begin_whole_recheck(
            purpose, as_of=as_of, since=since, requested_by=requested_by, by=_acting(acting)
        )
        answer(
            {"batch": begun.number, "since": str(begun.since), "as_of": str(begun.as_of)},
            as_json=as_json,
            words=f"批次 {begun.number}：与 {begun.since} 的数据整批比对，由核对人员运行 doudi verify sift {begun.number}",
        )
        return
    made = chain.begin_recheck(purpose, as_of=as_of, requested_by=requested_by, by=_acting(acting))
    told = {"batch": made.number, "opened": made.opened, "refused": made.refused}
    answer(
        told, as_json=as_json, words=f"批次 {made.number}：复查 {made.opened} 户，未建立 {made.refused} 户"
    )


@app.command()
def sift(
    number: Annotated[str, typer.Argument(help="批次号 / batch number")],
    acting: As,
    as_json: Json = False,
) -> None:
    """复查比对：先发出查询，再把没有变化的归档，其余交人 / ask, then file what has not changed and leave the rest to people."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.verification import services as verification

    by = _acting(acting)
    if verification.batch_of(number, by=by).whole:
        outcome = chain.sweep_batch(number, by=by)
        counted = "，".join(f"{label} {outcome.counts[code]}" for code, label in verification.RESULTS.items())
        answer(
            {**outcome.counts, "batch": number, "list": outcome.list_hash},
            as_json=as_json,
            words=f"批次 {number}：{counted}",
        )
        return
    told = {**chain.ask_batch(number, by=by), **chain.sift_batch(number, by=by)}
    words = (
        f"发出查询 {told['asked']}，未授权 {told['unauthorised']}；无变化归档 {told['unchanged']}，"
        f"有变化 {told['changed']}，首次 {told['first']}，不完整 {told['incomplete']}"
    )
    answer(told, as_json=as_json, words=words)


@app.command()
def password(
    source: Annotated[str, typer.Argument(help="来源代码 / source code")],
    acting: As,
) -> None:
    """与来源约定的压缩包口令，另行告知对方 / the agreed password of encrypted files, to be told over another channel."""
    open_office()
    from doudi import chain
    from doudi.contexts.verification import services as verification

    print(verification.password_for(source, rules=chain.verification_rules(), by=_acting(acting)))


@app.command()
def secret(
    name: Annotated[str, typer.Argument(help="connectors.yaml 里 {sealed: 名称} 的名称 / its name")],
) -> None:
    """从标准输入读一个密钥，加密保存 / seal a secret read from standard input."""
    open_office()
    import sys

    from doudi.contexts.verification import services as verification

    text = typer.prompt("密钥 / secret", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
    if not text.strip():
        raise DoudiError("密钥是空的。", "The secret is empty.", code="secret_empty")
    verification.keep_secret(name, text.strip())
    console.print(f"已保存 {{sealed: {name}}} / kept")


@app.command("serve-source")
def serve_source(
    folder: Annotated[
        Path,
        typer.Argument(help="放着 来源.csv 的文件夹 / a folder of FEED.csv", file_okay=False, exists=True),
    ],
    pack: Annotated[
        Path, typer.Option("--pack", help="声明这些表的政策包 / the pack that declares the files")
    ],
    as_of: Annotated[
        date, typer.Option("--as-of", parser=parse_date, metavar="DATE", help="数据日期 / as-of date")
    ],
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8090,
    key: Annotated[str, typer.Option(help="查询方账号 / the asking house's key")] = "doudi",
    secret_env: Annotated[
        str, typer.Option("--secret-env", help="密钥所在的环境变量 / variable with the secret")
    ] = "DOUDI_SOURCE_SECRET",  # noqa: S107 — the name of a variable
    certificate: Annotated[
        Path | None,
        typer.Option(
            "--certificate", help="本服务的证书，启用 HTTPS 双向认证 / this server's certificate", exists=True
        ),
    ] = None,
    private_key: Annotated[
        Path | None, typer.Option("--private-key", help="证书的私钥 / its private key", exists=True)
    ] = None,
    client_ca: Annotated[
        Path | None,
        typer.Option(
            "--client-ca", help="签发查询方证书的 CA / the CA of the asking house's certificate", exists=True
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", help="slow|fail|cut|lie=比例，可多次 / a fault and how often"),
    ] = None,
) -> None:
    """参考来源：按接口说明答复 CSV 里的记录，供对接和测试 / a reference department server over CSV files, for integrators."""
    import os

    from doudi.cli import reference_source
    from doudi.engine.packs import load_pack

    given = os.environ.get(secret_env, "")
    if len(given) < 16:
        raise DoudiError(
            f"请在环境变量 {secret_env} 里放至少 16 个字符的密钥。",
            f"Put a secret of 16 characters or more into {secret_env}.",
            code="secret_missing",
        )
    faults: dict[str, float] = {}
    for text in fault or []:
        name, _equals, share = text.partition("=")
        try:
            faults[name] = float(share)
        except ValueError:
            raise typer.BadParameter(f"--fault {text}: slow|fail|cut|lie=0..1") from None
        if name not in reference_source.FAULTS or not 0 <= faults[name] <= 1:
            raise typer.BadParameter(f"--fault {text}: slow|fail|cut|lie=0..1")
    rows = reference_source.load_rows(folder, load_pack(pack).feeds)
    peer = reference_source.ReferenceSource(rows, {key: given}, as_of, faults)
    tls = None
    if certificate or private_key or client_ca:
        if not (certificate and private_key and client_ca):
            raise typer.BadParameter("--certificate、--private-key、--client-ca 要一起给 / go together")
        tls = reference_source.mutual_tls(certificate, private_key, client_ca)
    with reference_source.serve(peer, port=port, tls=tls) as server:
        address = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}/"
        console.print(f"参考来源 {address} ：{'、'.join(rows) or '没有文件'}（Ctrl+C 停 / stops）")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            console.print("停止 / stopped", style="dim")


@app.command()
def report(
    number: Annotated[str, typer.Argument(help="报告编号 / report number")],
    to: Annotated[Path, typer.Option("--to", help="写到哪个文件：.json、.pdf 或 .docx / where to write")],
    acting: As,
    address: Annotated[
        str,
        typer.Option(
            "--address", help="二维码里的查验网址，如 https://hedui.例.cn / the address in the QR code"
        ),
    ] = "",
) -> None:
    """报告：规范 JSON 供存档和查验，PDF、Word 供盖章 / a report as canonical JSON, to keep and check, or PDF or Word, to seal."""
    open_office()
    from doudi import chain
    from doudi.contexts.verification import services as verification
    from doudi.house.keyring import write_aside

    form = to.suffix.lower().lstrip(".")
    if form in verification.FORMS:
        content = chain.report_paper(number, form=form, address=address, by=_acting(acting))
    else:
        content = chain.report_file(number, by=_acting(acting))
    write_aside(to, content)
    console.print(f"{number} → {to}")


@app.command()
def check(
    report: Annotated[
        str,
        typer.Argument(
            help="报告编号、报告的规范 JSON 文件，或整批复查的批次号 / report number, canonical JSON file, or batch in one pass"
        ),
    ],
    as_json: Json = False,
) -> None:
    """用当年的证据和政策包重算报告或整批复查 / compute a report, or a re-check in one pass, again from the evidence and pack of then."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    given, number = None, report
    if report.startswith("PL"):
        _say_checked(
            report, chain.check_recheck(report, by=system_user()), {"batch": report}, as_json=as_json
        )
        return
    if Path(report).is_file():
        given = Path(report).read_bytes()
        number = _number_in(given, report)
    checked = chain.check_report(number, by=system_user(), given=given)
    _say_checked(checked.number, list(checked.differences), {"report": checked.number}, as_json=as_json)


def _say_checked(
    number: str, differences: list[dict[str, Any]], named: dict[str, Any], *, as_json: bool
) -> None:
    lines = [f"{line['path']}：{line['stored']} ≠ {line['recomputed']}" for line in differences]
    words = "\n".join([f"{number} 不一致 / differs", *lines]) if lines else f"{number} 一致 / equal"
    answer({**named, "equal": not lines, "differences": differences}, as_json=as_json, words=words)
    if lines:
        raise typer.Exit(1)


def _number_in(content: bytes, name: str) -> str:
    try:
        return str(json.loads(content)["recorded"]["number"])
    except (ValueError, KeyError, TypeError):
        raise DoudiError(
            f"{name} 不是核对报告的规范 JSON 文件。请给报告编号，或 doudi verify report 写出的文件。",
            f"{name} is not a report's canonical JSON; give a report number or a file of doudi verify report.",
            code="report_unreadable",
        ) from None
