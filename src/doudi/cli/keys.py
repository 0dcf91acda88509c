"""``doudi keys``: the ring that seals personal data at rest."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from doudi.cli.shell import answer, console, open_office

app = typer.Typer(no_args_is_help=True, help="加密密钥 keys that seal personal data")


@app.callback()
def _group() -> None:
    """加密密钥 keys that seal personal data."""


@app.command()
def show(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """列出密钥编号、算法、是否在用（不显示密钥本身）/ numbers and ciphers, never the keys."""
    open_office(quiet=as_json)
    from doudi.house.keyring import keyring
    from doudi.house.resealing import left_with_earlier_keys

    told = _told(keyring(), left_with_earlier_keys())
    answer(
        told,
        as_json=as_json,
        words="\n".join(
            f"密钥 {key['number']}  {key['cipher']}  {'在用' if key['in_use'] else '已停用 ' + str(key['retired_at'])}"
            for key in told["keys"]
        )
        + f"\n索引和日志摘要 {told['digest']}"
        + "".join(f"\n还用旧密钥：{where} {by_key}" for where, by_key in told["left"].items()),
    )


@app.command()
def rotate(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """换一把新密钥，并把全部内容重新加密；可以边用边换，中断后再运行会接着做 / take a new key into use and seal everything anew
    while people work; run again after a kill, it goes on. 算法由 DOUDI_CIPHER 决定（aes 或 sm4）。"""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    ring, done, left = chain.rotate_keys(
        by=system_user(),
        progress=None if as_json else lambda where, count: console.print(f"{where} {count}", style="dim"),
    )
    told = _told(ring, left) | {"key": ring.active, "sealed_anew": done}
    answer(
        told,
        as_json=as_json,
        words=f"现用密钥 {ring.active}，重新加密 {sum(done.values())} 项。请立即做一次备份（doudi backup）；"
        "旧密钥留着，30 天后可用 doudi keys drop 销毁 / back up now; earlier keys are kept",
    )


@app.command()
def drop(
    number: Annotated[int, typer.Argument(help="停用的密钥编号 / number of an earlier key")],
    after_days: Annotated[int, typer.Option(help="停用满几天才销毁 / days out of use", min=0)] = 30,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """销毁一把停用的密钥；还有内容用它加密时拒绝 / destroy an earlier key; refused while anything is sealed with it."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    ring = chain.drop_key(number, after_days=after_days, by=system_user())
    answer(_told(ring, []), as_json=as_json, words=f"已销毁密钥 {number} / destroyed")


def _told(ring: Any, left: Any) -> dict[str, Any]:
    return {
        "keys": [
            {
                "number": number,
                "cipher": ring.ciphers.get(number, "aes-256-gcm"),
                "in_use": number == ring.active,
                "retired_at": (ring.retired or {}).get(number),
            }
            for number in sorted(ring.sealing)
        ],
        "digest": ring.digest_name,
        "rotating": ring.rotating,
        "left": {place.where: place.by_key for place in left},
    }
