"""``doudi doctor``: what is wrong with this office's set-up, in plain words."""

from __future__ import annotations

import shutil
from typing import Annotated, Any

import typer

from doudi.cli.shell import answer, open_office


def doctor(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """体检：状态目录、数据库、密钥、政策包、审计链、前端文件、磁盘 / check the set-up and say what to do."""
    open_office(quiet=as_json)
    findings = [check() for check in (_disk, _keys, _pack, _audit, _frontend, _divisions)]
    wrong = [finding for finding in findings if not finding["well"]]
    words = "\n".join(f"{'正常' if f['well'] else '注意'}  {f['what']}：{f['said']}" for f in findings)
    answer({"well": not wrong, "findings": findings}, as_json=as_json, words=words)
    if wrong:
        raise typer.Exit(1)


def _finding(what: str, well: bool, said: str) -> dict[str, Any]:
    return {"what": what, "well": well, "said": said}


def _disk() -> dict[str, Any]:
    from doudi.house.paths import home

    free = shutil.disk_usage(home().root).free
    return _finding(
        "磁盘",
        free > 2 << 30,
        f"{home().root} 还有 {free / (1 << 30):.1f} GiB" + ("" if free > 2 << 30 else "，请清理磁盘"),
    )


def _keys() -> dict[str, Any]:
    from doudi.house.paths import home

    ring = home().keys / "keyring.json"
    open_to_others = bool(ring.stat().st_mode & 0o077)
    return _finding(
        "密钥",
        not open_to_others,
        f"{ring} 其他用户可读，请改权限为 600" if open_to_others else "只有本账号可读；请另存一份在安全处",
    )


def _pack() -> dict[str, Any]:
    from doudi import chain
    from doudi.engine.errors import DoudiError

    try:
        pack, _handling = chain.rules()
    except DoudiError as problem:
        return _finding("政策包", False, problem.zh)
    return _finding("政策包", True, f"{pack.name} {pack.version}")


def _audit() -> dict[str, Any]:
    from doudi.contexts.accounts.services import verify_audit

    report = verify_audit()
    return _finding(
        "审计链",
        report.whole,
        f"{report.entries} 条，完整" if report.whole else f"第 {report.first_break} 条处断开，请立即报告",
    )


def _frontend() -> dict[str, Any]:
    from django.contrib.staticfiles import finders

    there = finders.find("vendor/leaflet/leaflet.js") is not None
    return _finding("前端文件", there, "齐全" if there else "缺少图表和地图文件，请运行 make setup")


def _divisions() -> dict[str, Any]:
    from doudi.contexts.registry import services as registry

    whole = registry.divisions_whole()
    return _finding("行政区划", whole, "到村" if whole else "只到县，乡镇和村显示为代码，请运行 make setup")
