"""The key ring: what seals personal data at rest, and what makes its blind index.

AES-256-GCM (NIST SP 800-38D) seals; HMAC-SHA-256 indexes. A sealed value carries the number of its key, so that a
new key can be taken into use while old values stay readable. The ring lies in a file that only the office's account
can read, never in the database (handbook 03 §3.7).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from doudi.engine.errors import DoudiError
from doudi.house.paths import home

_NONCE = 12
_VERSION = 1
_CHUNK = 1 << 20


class SealBroken(DoudiError):
    """A sealed value cannot be opened: another key, or it was changed."""

    code = "seal_broken"


@dataclass(frozen=True)
class KeyRing:
    """Sealing keys by number, the number in use, the key of the blind index and the key of the audit chain."""

    sealing: dict[int, bytes]
    active: int
    index_key: bytes
    audit_key: bytes

    def seal(self, plain: bytes, *, purpose: str) -> bytes:
        """Encrypt ``plain``; ``purpose`` is bound in, so that a value moved to another place does not open."""
        nonce = secrets.token_bytes(_NONCE)
        body = AESGCM(self.sealing[self.active]).encrypt(nonce, plain, purpose.encode())
        return bytes([_VERSION]) + self.active.to_bytes(2, "big") + nonce + body

    def open(self, sealed: bytes, *, purpose: str) -> bytes:
        """Decrypt a value of :meth:`seal`, or raise :class:`SealBroken`."""
        key = (
            self.sealing.get(int.from_bytes(sealed[1:3], "big")) if sealed[:1] == bytes([_VERSION]) else None
        )
        try:
            if key is None:
                raise InvalidTag
            return AESGCM(key).decrypt(sealed[3 : 3 + _NONCE], sealed[3 + _NONCE :], purpose.encode())
        except InvalidTag:
            raise SealBroken(
                f"加密内容（{purpose}）打不开：密钥不对或内容被改动。请核对密钥目录，或从备份恢复。",
                f"Sealed content ({purpose}) does not open: wrong key, or it was changed. "
                "Check the key folder or restore a backup.",
            ) from None

    def digest(self, text: str, *, purpose: str) -> bytes:
        """The blind index of one value: equal values of one purpose give equal 16 bytes, and nothing else."""
        return hmac.digest(self.index_key, f"{purpose}\x00{text}".encode(), hashlib.sha256)[:16]

    def digests(self, texts: Sequence[str], *, purpose: str) -> list[bytes]:
        """:meth:`digest` of many values, at about a million a second and core."""
        prefix = hmac.new(self.index_key, f"{purpose}\x00".encode(), hashlib.sha256)
        out = []
        for text in texts:
            running = prefix.copy()
            running.update(text.encode())
            out.append(running.digest()[:16])
        return out

    def chain(self, previous: bytes, content: bytes) -> bytes:
        """The next link of the audit chain: without the key it cannot be forged in the database alone."""
        return hmac.digest(self.audit_key, previous + content, hashlib.sha256)


def write_aside(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` whole or not at all, readable by the office's account alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def _new_ring() -> bytes:
    def fresh() -> str:
        return base64.b64encode(secrets.token_bytes(32)).decode()

    ring = {"sealing": {"1": fresh()}, "active": 1, "index": fresh(), "audit": fresh()}
    return json.dumps(ring, indent=1).encode()


def _create(path: Path) -> None:
    """Make a ring where none is; of two processes that begin together one wins and both use its ring."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    write_aside(aside, _new_ring())
    try:
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        aside.unlink(missing_ok=True)


def _fingerprint_path() -> Path:
    """The mark of the ring this office works with, apart from the ring: keys that are lost must not be made anew."""
    return home().root / "keyring.mark"


@lru_cache(maxsize=4)
def _read(path: Path) -> KeyRing:
    known = _fingerprint_path().exists()
    if not path.exists():
        if known or home().database.exists():
            raise SealBroken(
                f"找不到密钥文件 {path}，而数据库已经存在。请把密钥放回原处；没有密钥，加密内容无法打开。",
                f"The key file {path} is missing though the database exists. Put the keys back.",
                code="keys_missing",
            )
        _create(path)
    raw = json.loads(path.read_text())
    mark = hashlib.sha256(raw["index"].encode()).hexdigest()
    if not known:
        write_aside(_fingerprint_path(), mark.encode())
    elif _fingerprint_path().read_text() != mark:
        raise SealBroken(
            f"{path} 不是本系统的密钥（{_fingerprint_path()} 记着原来那一把）。请把原来的密钥放回。",
            f"{path} is not this office's ring ({_fingerprint_path()} remembers the right one). Put the right keys back.",
            code="keys_foreign",
        )
    return KeyRing(
        sealing={int(number): base64.b64decode(key) for number, key in raw["sealing"].items()},
        active=int(raw["active"]),
        index_key=base64.b64decode(raw["index"]),
        audit_key=base64.b64decode(raw["audit"]),
    )


def keyring() -> KeyRing:
    """The ring of this office; made on first use of an empty state folder."""
    return _read(home().keys / "keyring.json")
