"""``doudi doctor``: what is wrong with this office's set-up, in plain words; it changes nothing."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from doudi.cli import checks
from doudi.cli.shell import answer, office_lock, open_office

_WORDS = {checks.WELL: "正常", checks.ADVICE: "提示", checks.WRONG: "注意"}


def doctor(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """体检：磁盘、权限、密钥、备份、后台任务、数据库、版本、时钟、部门数据、审计链、字体等；只看不改 / what is wrong and what to do.
    退出码 1 表示有必须处理的；“提示”不算。"""
    findings = _examine()
    wrong = [finding for finding in findings if not finding.well]
    words = "\n".join(f"{_WORDS[found.level]}  {found.what}：{found.said}" for found in findings)
    told = [
        {"what": found.what, "well": found.well, "level": found.level, "said": found.said}
        for found in findings
    ]
    answer({"well": not wrong, "findings": told}, as_json=as_json, words=words)
    if wrong:
        raise typer.Exit(1)


def _examine() -> list[checks.Finding]:
    from doudi.house.backup import refuse_half_restored
    from doudi.house.paths import home

    refuse_half_restored(home())
    known = [home().root / "keyring.mark", home().keys / "keyring.json", home().database]
    if not any(path.exists() for path in known):
        open_office(quiet=True)  # a first command on an empty folder makes the office
    findings = [checks.look(check) for check in checks.BEFORE]
    if any(found.what == "密钥" and not found.well for found in findings):
        return findings  # without its keys the office cannot be opened at all
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "doudi.house.settings")
    import django

    with office_lock():
        django.setup()
    findings += [checks.look(check) for check in checks.SET_UP]
    for check in checks.REACHED:
        findings.append(checks.look(check))
        if not findings[-1].well:
            return findings
    return findings + [checks.look(check) for check in checks.INSIDE]
