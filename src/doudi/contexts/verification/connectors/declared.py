"""Connection data of this office (``DOUDI_HOME/connectors.yaml``): where each source is reached, and with which secret.

It stands outside the policy pack: a pack says what may be asked and by which ways, the office how. Secrets stand in
neither; they are named (``{env: NAME}``, ``{sealed: NAME}``) and read when a call is made.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from doudi.engine.errors import DoudiError
from doudi.engine.verification import Rules, Source
from doudi.house.keyring import keyring, write_aside
from doudi.house.paths import home

FILE_NAME = "connectors.yaml"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
_HOURS = re.compile(r"(\d{2}):(\d{2})-(\d{2}):(\d{2})", re.ASCII)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_DRIVERS = ("postgresql", "mysql", "mariadb")


class ConnectorsInvalid(DoudiError):
    """The connection data cannot be used as it is written."""

    code = "connectors_invalid"


@dataclass(frozen=True)
class Connection:
    """How one source is reached: ``address`` of an interface or database, the limits, and the rest by ``more``."""

    name: str
    way: str
    address: str = ""
    key: str = ""
    secret: Mapping[str, str] | None = None
    algorithm: str = "HMAC-SHA256"
    seconds: int = 10
    batch: int = 50
    per_minute: int = 60
    tries: int = 6
    breaker: int = 5
    hours: tuple[time, time] | None = None
    more: Mapping[str, Any] | None = None

    def within_hours(self, now: time) -> bool:
        """Whether the agreement lets us ask at this time of day; a window may run over midnight."""
        if self.hours is None:
            return True
        begin, end = self.hours
        return begin <= now < end if begin <= end else now >= begin or now < end

    def setting(self, name: str, default: Any = "") -> Any:
        return (self.more or {}).get(name, default)


@dataclass(frozen=True)
class Peer:
    """Another house that is entrusted with checks elsewhere (异地协查): its regions, interface, and key for it."""

    code: str
    label: str
    regions: tuple[str, ...]
    connection: Connection
    token: Mapping[str, str] | None


def _raw() -> dict[str, Any]:
    path = home().root / FILE_NAME
    if not path.is_file():
        return {}
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 — builds text only
    except yaml.YAMLError as problem:
        raise _invalid(path, str(problem).splitlines()[0]) from None
    if not isinstance(raw, dict) or set(raw) - {"sources", "peers"}:
        raise _invalid(path, "只认 sources 和 peers 两节 / sections: sources, peers")
    return raw


def _invalid(path: Path, why: str) -> ConnectorsInvalid:
    return ConnectorsInvalid(
        f"{path}：{why}。请对照 docs/how-to/connect-a-source.md 修改。",
        f"{path}: {why}. Compare docs/how-to/connect-a-source.md.",
    )


def connections() -> dict[str, Connection]:
    """Every connection of the file by source. Raises :class:`ConnectorsInvalid` with the place."""
    path = home().root / FILE_NAME
    found = {}
    for name, entry in (_raw().get("sources") or {}).items():
        found[name] = _connection(path, f"sources.{name}", name, entry)
    return found


def peers() -> dict[str, Peer]:
    """Every house that checks elsewhere may be entrusted to, by its code."""
    path = home().root / FILE_NAME
    found = {}
    for code, entry in (_raw().get("peers") or {}).items():
        where = f"peers.{code}"
        if not isinstance(entry, dict) or not _NAME.fullmatch(code):
            raise _invalid(path, f"{where} 应是小写字母、数字的名称加一组设置")
        own = {name: value for name, value in entry.items() if name not in ("label", "regions", "token")}
        connection = _connection(path, where, code, {**own, "way": "http"})
        regions = entry.get("regions", [])
        if (
            not isinstance(regions, list)
            or not all(str(region).isdigit() for region in regions)
            or not regions
        ):
            raise _invalid(path, f"{where}.regions 应是行政区划代码的列表")
        found[code] = Peer(
            code,
            str(entry.get("label", code)),
            tuple(regions),
            connection,
            _secret(path, where, entry.get("token")),
        )
    return found


def _connection(path: Path, where: str, name: str, entry: Any) -> Connection:
    if not isinstance(entry, dict) or entry.get("way") not in ("http", "database", "snapshot"):
        raise _invalid(path, f"{where}.way 应是 http、database 或 snapshot")
    way = entry["way"]
    address = str(entry.get("address", ""))
    parts = urlsplit(address)
    if way == "http":
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise _invalid(path, f"{where}.address 应是 https://主机[:端口]/路径/")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK and entry.get("plain") != "true":
            raise _invalid(path, f"{where}.address 须用 https；专网内确需 http 的，写明 plain: true")
    if way == "database":
        if parts.scheme not in _DRIVERS or not parts.hostname or parts.password:
            raise _invalid(
                path, f"{where}.address 应是 postgresql:// 或 mysql://账号@主机:端口/库，口令写在 secret"
            )
        if not entry.get("view") or not isinstance(entry.get("columns", {}), dict):
            raise _invalid(path, f"{where} 缺 view（视图名）")
    known = {
        "way", "address", "key", "secret", "algorithm", "seconds", "batch", "per_minute", "tries", "breaker", "hours",
    }  # fmt: skip
    try:
        numbers = {
            field: _number(entry[field], most)
            for field, most in (
                ("seconds", 300), ("batch", 1000), ("per_minute", 60000), ("tries", 100), ("breaker", 1000),
            )
            if field in entry
        }  # fmt: skip
        hours = _hours(entry["hours"]) if "hours" in entry else None
    except ValueError as problem:
        raise _invalid(path, f"{where}：{problem}") from None
    return Connection(
        name=name,
        way=way,
        address=address,
        key=str(entry.get("key", "")),
        secret=_secret(path, where, entry.get("secret")),
        algorithm=str(entry.get("algorithm", "HMAC-SHA256")),
        hours=hours,
        more={field: value for field, value in entry.items() if field not in known},
        **numbers,
    )


def _number(text: Any, most: int) -> int:
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise ValueError(f"“{text}”应是 1 到 {most} 的整数")
    return int(text)


def _hours(text: Any) -> tuple[time, time]:
    found = _HOURS.fullmatch(str(text))
    if found is None:
        raise ValueError(f"hours “{text}”应写成 08:00-18:00")
    parts = [int(part) for part in found.groups()]
    return time(parts[0], parts[1]), time(parts[2], parts[3])


def _secret(path: Path, where: str, entry: Any) -> Mapping[str, str] | None:
    if entry is None:
        return None
    if not isinstance(entry, dict) or len(entry) != 1 or next(iter(entry)) not in ("env", "sealed"):
        raise _invalid(path, f"{where}：密钥不写在文件里，写 {{env: 变量名}} 或 {{sealed: 名称}}")
    return {str(kind): str(name) for kind, name in entry.items()}


def connection_of(source: Source, rules: Rules) -> Connection | None:
    """The connection by which a declared source is asked, or None: it is asked by file.

    Raises :class:`ConnectorsInvalid` where the pack does not allow the way that the office set up.
    """
    found = connections().get(source.code)
    if found is not None and found.way not in source.ways:
        raise ConnectorsInvalid(
            f"政策包不允许“{source.label}”用 {found.way} 查询。请改 connectors.yaml，或在政策包的 verification.yaml 里加上途径。",
            f"The pack does not allow {source.code} to be asked by {found.way}.",
        )
    return found


# ---- secrets ---------------------------------------------------------------------------------------------------


def _sealed_path(name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise ConnectorsInvalid(
            "密钥名称只用小写字母、数字、横线。", "A secret's name has small letters, digits and hyphens."
        )
    return home().keys / f"secret-{name}.sealed"


def keep_secret(name: str, text: str) -> None:
    """Seal a secret under a name, for ``{sealed: NAME}``."""
    write_aside(_sealed_path(name), keyring().seal(text.encode(), purpose=f"secret:{name}"))


def secret_of(declared: Mapping[str, str] | None, *, what: str) -> str:
    """The secret that connection data name; '' where they name none. Raises :class:`ConnectorsInvalid` if it is not there."""
    if declared is None:
        return ""
    kind, name = next(iter(declared.items()))
    if kind == "env":
        text = os.environ.get(name, "")
    else:
        path = _sealed_path(name)
        text = keyring().open(path.read_bytes(), purpose=f"secret:{name}").decode() if path.is_file() else ""
    if not text:
        raise ConnectorsInvalid(
            f"{what}的密钥没有设置（{kind}: {name}）。请设环境变量，或运行 doudi verify secret {name}。",
            f"The secret of {what} is not set ({kind}: {name}): set the variable or run doudi verify secret {name}.",
            code="secret_missing",
        )
    return text
