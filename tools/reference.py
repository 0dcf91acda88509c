"""Write the reference pages that can be read off the program itself: every command and every feed.

``python tools/reference.py`` writes them; a test fails when they are stale.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from typer.main import get_command
from typer.testing import CliRunner

from doudi.cli import app
from doudi.engine.feeds import FeedSpec, load_feed_specs

ROOT = Path(__file__).resolve().parents[1]
_TYPES = {
    "id": "身份证号", "name": "姓名", "text": "文本", "code": "选项", "money": "金额（元）", "date": "日期",
    "month": "月份", "bool": "是/否", "int": "整数", "decimal": "小数", "region": "行政区划代码", "phone": "电话",
    "address": "地址",
}  # fmt: skip


def commands() -> str:
    """``docs/reference/commands.md``, from each command's own help."""
    runner = CliRunner()
    parts = [
        "# 命令 Commands",
        "",
        "由 `python tools/reference.py` 从每条命令自己的 `--help` 生成。`--json` 时标准输出只有一个 JSON 对象，其余的话走"
        "标准错误；退出码 0 完成，1 被拒绝或失败，2 用法不对。",
        "",
        "Made from each command's own `--help` by `python tools/reference.py`.",
        "",
    ]
    for words in _walk(get_command(app), []):
        done = runner.invoke(
            app, [*words, "--help"], prog_name="doudi", env={"COLUMNS": "100", "TERM": "dumb"}
        )
        said = re.sub(r"[ \t]+$", "", done.output.strip(), flags=re.M)
        parts += [f"## doudi {' '.join(words)}", "", "```text", said, "```", ""]
    return "\n".join(parts)


def _walk(command: object, words: list[str]) -> list[list[str]]:
    names = command.list_commands(None) if hasattr(command, "list_commands") else []  # type: ignore[attr-defined]
    if not names:
        return [words]
    return [path for name in names for path in _walk(command.get_command(None, name), [*words, name])]  # type: ignore[attr-defined]


def feeds() -> str:
    """``docs/reference/feeds.md``, from the reference pack's declarations."""
    specs = load_feed_specs(ROOT / "packs" / "reference" / "feeds")
    parts = [
        "# 数据种类 Feeds",
        "",
        "由 `python tools/reference.py` 从 `packs/reference/feeds/` 生成。表头里的空格和括号里的单位不计；列的顺序随意。",
        "快照：最后一份就是现状。事件：一份一份累加。",
        "",
    ]
    for spec in specs.values():
        parts += _feed(spec)
    return "\n".join(parts)


def _feed(spec: FeedSpec) -> list[str]:
    kind = {"snapshot": "快照", "event": "事件"}[spec.kind]
    rows = [
        f"| `{column.name}` | {column.label} | {'、'.join(column.aliases)} | {_TYPES[column.type]}"
        f"{'：' + '/'.join(column.codes) if column.codes else ''} | {'可' if column.nullable else ''} |"
        for column in spec.columns
    ]
    head = [f"## {spec.label} `{spec.name}`", "", f"{kind}，来源：{spec.supplier}", ""]
    return [*head, "| 列 | 表头 | 别名 | 内容 | 可空 |", "|---|---|---|---|---|", *rows, ""]


PAGES = {"commands.md": commands, "feeds.md": feeds}


def main() -> None:
    os.environ.setdefault("NO_COLOR", "1")
    for name, page in PAGES.items():
        (ROOT / "docs" / "reference" / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
