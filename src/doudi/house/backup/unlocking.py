"""With what a backup is locked: a passphrase, a key file that was named, or the account's own backup key.

The account's own key is made at the first backup and lies outside the state folder, so that a copied state folder does
not open its backups. Who has a backup and no longer the machine needs the key's text: it is shown when it is made.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from doudi.engine.errors import DoudiError
from doudi.house.keyring import write_aside

_SHORTEST = 12
_COST = {"n": 1 << 15, "r": 8, "p": 1}
_MOST = {"n": 1 << 18, "r": 8, "p": 4}


class KeyMissing(DoudiError):
    """No key for this backup was given or found."""

    code = "backup_key_missing"


@dataclass(frozen=True)
class KeyGiven:
    """What the caller gave to lock or open a backup: a passphrase, a key's text or a key file; nothing is the default."""

    passphrase: str = ""
    key_text: str = ""
    key_file: Path | None = None
    key_bytes: bytes = b""
    """The key itself, where it was found already."""

    @classmethod
    def from_environment(cls, *, key_file: Path | None = None, key_text: str = "") -> KeyGiven:
        """What the command line named, else ``DOUDI_BACKUP_PASSPHRASE``, else ``DOUDI_BACKUP_KEY`` (a path)."""
        if key_file is not None or key_text:
            return cls(key_file=key_file, key_text=key_text)
        passphrase = os.environ.get("DOUDI_BACKUP_PASSPHRASE", "")
        named = os.environ.get("DOUDI_BACKUP_KEY", "").strip()
        return cls(passphrase=passphrase, key_file=Path(named) if named and not passphrase else None)


@dataclass(frozen=True)
class ReadyKey:
    """A key to lock with: its 32 bytes, what the header says of it, where it lies and whether it was made just now."""

    key: bytes
    lock: dict[str, Any]
    place: Path | None
    fresh: bool

    @property
    def text(self) -> str:
        """The key as a person writes it down, with a check at its end."""
        return key_text(self.key)


def own_key_path() -> Path:
    """Where the account keeps its backup key: in its settings folder, outside every state folder."""
    settings = os.environ.get("XDG_CONFIG_HOME", "").strip()
    return (Path(settings) if settings else Path.home() / ".config") / "doudi" / "backup.key"


def ready_key(given: KeyGiven) -> ReadyKey:
    """The key to lock a new backup with; the account's own is made where none is."""
    if given.passphrase:
        if len(given.passphrase) < _SHORTEST:
            raise DoudiError(
                f"备份口令至少 {_SHORTEST} 个字符，现在只有 {len(given.passphrase)} 个。可以用一句好记的话。",
                f"A backup's passphrase has {_SHORTEST} characters or more; this one has {len(given.passphrase)}.",
                code="passphrase_short",
            )
        salt = secrets.token_bytes(16)
        lock = {"kind": "passphrase", "salt": base64.b64encode(salt).decode(), **_COST}
        return ReadyKey(_derived(given.passphrase, lock), lock, None, fresh=False)
    if given.key_text:
        key = read_key_text(given.key_text)
        return ReadyKey(key, {"kind": "key", "id": _id(key)}, None, fresh=False)
    path = given.key_file or own_key_path()
    fresh = not path.exists()
    if fresh:
        _make(path)
    key = _read(path)
    return ReadyKey(key, {"kind": "key", "id": _id(key)}, path, fresh)


def find_key(given: KeyGiven, lock: dict[str, Any]) -> bytes:
    """The key that opens a backup with this lock, or a refusal that says what is needed."""
    if given.key_bytes:
        return given.key_bytes
    if lock.get("kind") == "passphrase":
        if not given.passphrase:
            raise KeyMissing(
                "这份备份是用口令加密的。请在提示时输入口令，或设置 DOUDI_BACKUP_PASSPHRASE。",
                "This backup is locked with a passphrase; type it when asked, or set DOUDI_BACKUP_PASSPHRASE.",
            )
        return _derived(given.passphrase, lock)
    if given.key_text:
        return read_key_text(given.key_text)
    path = given.key_file or own_key_path()
    if not path.exists():
        raise KeyMissing(
            f"这份备份要用备份密钥打开（编号 {lock.get('id', '?')}），{path} 里没有。"
            "请用 --key-file 指明密钥文件，或用 --key 输入抄下的密钥。",
            f"This backup needs the backup key {lock.get('id', '?')}, which is not in {path}. "
            "Name it by --key-file, or type the text that was written down by --key.",
        )
    return _read(path)


def key_text(key: bytes) -> str:
    """32 bytes as groups of five letters and digits without look-alikes, and a check."""
    body = base64.b32encode(key + hashlib.sha256(key).digest()[:3]).decode().rstrip("=")
    return "-".join(body[start : start + 5] for start in range(0, len(body), 5))


def read_key_text(text: str) -> bytes:
    """The key of :func:`key_text`, spaces and case forgiven, or a refusal."""
    plain = "".join(text.split()).replace("-", "").upper()
    try:
        raw = base64.b32decode(plain + "=" * (-len(plain) % 8))
    except ValueError:
        raw = b""
    if len(raw) != 35 or hashlib.sha256(raw[:32]).digest()[:3] != raw[32:]:
        raise DoudiError(
            "备份密钥抄写有误：字母数字共 56 位，请逐位核对。",
            "The backup key was not copied right: it has 56 letters and digits; check each.",
            code="backup_key_unreadable",
        )
    return raw[:32]


def _make(path: Path) -> None:
    aside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        write_aside(aside, (key_text(secrets.token_bytes(32)) + "\n").encode())
        os.link(aside, path)
    except FileExistsError:
        pass  # another backup made it just now; both use the one that is there
    except OSError as problem:
        raise DoudiError(
            f"备份密钥写不到 {path}（{problem.strerror}）。请用 --key-file 指明一个可写的位置，或用口令。",
            f"The backup key cannot be written to {path} ({problem.strerror}); name a place by --key-file, or use a passphrase.",
            code="backup_key_unwritable",
        ) from None
    finally:
        aside.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    try:
        return read_key_text(path.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError) as problem:
        raise DoudiError(
            f"备份密钥文件 {path} 读不出来：{problem}",
            f"The backup key file {path} cannot be read: {problem}",
            code="backup_key_unreadable",
        ) from None


def _derived(passphrase: str, lock: dict[str, Any]) -> bytes:
    try:
        cost = {name: int(lock[name]) for name in _COST}
        salt = base64.b64decode(lock["salt"])
    except (KeyError, ValueError, TypeError):
        cost, salt = {}, b""
    if not salt or any(not 0 < cost[name] <= most for name, most in _MOST.items()):
        raise DoudiError(
            "备份文件的开头被改动，打不开。", "The beginning of the backup was changed.", code="backup_broken"
        )
    return Scrypt(salt=salt, length=32, **cost).derive(passphrase.encode())


def _id(key: bytes) -> str:
    return hashlib.sha256(b"doudi backup key id" + key).hexdigest()[:8]
