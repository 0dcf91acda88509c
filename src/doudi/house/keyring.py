"""The key ring: what seals personal data at rest, and what makes its blind index.

AES-256-GCM (NIST SP 800-38D) or SM4-GCM (GB/T 32907, RFC 8998) seals; HMAC with SHA-256 or SM3 (GB/T 32905) indexes
and links the log. Each key of the ring has its cipher, chosen by ``DOUDI_CIPHER`` when the key is made; the digest is
chosen once, by ``DOUDI_DIGEST`` when the ring is made. A sealed value carries the number of its key, so that a new key
can be taken into use while old values stay readable. The ring lies in a file that only the office's account can read,
never in the database (handbook 03 §3.7).
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC

from doudi.engine.errors import DoudiError
from doudi.house.paths import home

_NONCE = 12
_TAG = 16
_VERSION = 1
HEAD = 3
"""Bytes before the nonce of a sealed value: the version, and the number of its key."""
AES, SM4 = "aes-256-gcm", "sm4-gcm"
_KEY_BYTES = {AES: 32, SM4: 16}
SHA256, SM3 = "sha256", "sm3"


class SealBroken(DoudiError):
    """A sealed value cannot be opened: another key, or it was changed."""

    code = "seal_broken"


@dataclass(frozen=True)
class KeyRing:
    """Sealing keys by number with the cipher of each, the number in use, and the keys of the index and the audit chain."""

    sealing: dict[int, bytes]
    active: int
    index_key: bytes
    audit_key: bytes
    ciphers: dict[int, str]
    digest_name: str = SHA256
    rotating: bool = False
    """Whether values of an earlier key are still being sealed anew."""
    retired: dict[int, str] | None = None
    """When each earlier key went out of use (ISO 8601)."""

    def seal(self, plain: bytes, *, purpose: str) -> bytes:
        """Encrypt ``plain``; ``purpose`` is bound in, so that a value moved to another place does not open."""
        nonce = secrets.token_bytes(_NONCE)
        body = _encrypt(
            self.ciphers.get(self.active, AES), self.sealing[self.active], nonce, plain, purpose.encode()
        )
        return self.head() + nonce + body

    def head(self) -> bytes:
        """How every value sealed now begins."""
        return bytes([_VERSION]) + self.active.to_bytes(2, "big")

    def open(self, sealed: bytes, *, purpose: str) -> bytes:
        """Decrypt a value of :meth:`seal`, or raise :class:`SealBroken`."""
        number = key_number(sealed)
        key = self.sealing.get(number)
        try:
            if key is None:
                raise InvalidTag
            return _decrypt(
                self.ciphers.get(number, AES),
                key,
                sealed[HEAD : HEAD + _NONCE],
                sealed[HEAD + _NONCE :],
                purpose.encode(),
            )
        except InvalidTag:
            raise SealBroken(
                f"加密内容（{purpose}）打不开：密钥不对或内容被改动。请核对密钥目录，或从备份恢复。",
                f"Sealed content ({purpose}) does not open: wrong key, or it was changed. "
                "Check the key folder or restore a backup.",
            ) from None

    def digest(self, text: str, *, purpose: str) -> bytes:
        """The blind index of one value: equal values of one purpose give equal 16 bytes, and nothing else."""
        return self._hmac(self.index_key, f"{purpose}\x00{text}".encode())[:16]

    def digests(self, texts: Sequence[str], *, purpose: str) -> list[bytes]:
        """:meth:`digest` of many values, with SHA-256 at about a million a second and core."""
        if self.digest_name == SM3:
            return [self.digest(text, purpose=purpose) for text in texts]
        prefix = hmac.new(self.index_key, f"{purpose}\x00".encode(), hashlib.sha256)
        out = []
        for text in texts:
            running = prefix.copy()
            running.update(text.encode())
            out.append(running.digest()[:16])
        return out

    def chain(self, previous: bytes, content: bytes) -> bytes:
        """The next link of the audit chain: without the key it cannot be forged in the database alone."""
        return self._hmac(self.audit_key, previous + content)

    def _hmac(self, key: bytes, content: bytes) -> bytes:
        if self.digest_name == SHA256:
            return hmac.digest(key, content, hashlib.sha256)
        running = HMAC(key, hashes.SM3())
        running.update(content)
        return running.finalize()


def key_number(sealed: bytes) -> int:
    """The number of the key a value was sealed with; 0 where it is no sealed value."""
    return int.from_bytes(sealed[1:HEAD], "big") if sealed[:1] == bytes([_VERSION]) else 0


def _encrypt(cipher: str, key: bytes, nonce: bytes, plain: bytes, bound: bytes) -> bytes:
    if cipher == AES:
        return AESGCM(key).encrypt(nonce, plain, bound)
    running = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
    running.authenticate_additional_data(bound)
    return running.update(plain) + running.finalize() + running.tag


def _decrypt(cipher: str, key: bytes, nonce: bytes, body: bytes, bound: bytes) -> bytes:
    if len(body) < _TAG:
        raise InvalidTag  # cut off
    if cipher == AES:
        return AESGCM(key).decrypt(nonce, body, bound)
    running = Cipher(algorithms.SM4(key), modes.GCM(nonce, body[-_TAG:])).decryptor()
    running.authenticate_additional_data(bound)
    return running.update(body[:-_TAG]) + running.finalize()


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


def _chosen(name: str, words: dict[str, str], default: str) -> str:
    given = os.environ.get(name, "").strip().lower() or default
    if given not in words:
        raise DoudiError(
            f"{name}={given!r} 不认识，可写：{'、'.join(words)}。",
            f"{name}={given!r} is unknown; write one of: {', '.join(words)}.",
            code="setting_unknown",
        )
    return words[given]


def chosen_cipher() -> str:
    """The cipher that new keys are made for (``DOUDI_CIPHER``): ``aes`` or ``sm4``."""
    return _chosen("DOUDI_CIPHER", {"aes": AES, AES: AES, "sm4": SM4, SM4: SM4}, AES)


def _fresh(size: int) -> str:
    return base64.b64encode(secrets.token_bytes(size)).decode()


def _new_ring() -> bytes:
    cipher = chosen_cipher()
    ring = {
        "sealing": {"1": _fresh(_KEY_BYTES[cipher])},
        "ciphers": {"1": cipher},
        "active": 1,
        "digest": _chosen("DOUDI_DIGEST", {SHA256: SHA256, SM3: SM3}, SHA256),
        "index": _fresh(32),
        "audit": _fresh(32),
    }
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


def _ring_path() -> Path:
    return home().keys / "keyring.json"


def _checked(path: Path) -> os.stat_result:
    """The state of the ring's file; the ring is made on first use and never again."""
    try:
        return path.stat()
    except FileNotFoundError:
        if _fingerprint_path().exists() or home().database.exists():
            raise SealBroken(
                f"找不到密钥文件 {path}，而数据库已经存在。请把密钥放回原处；没有密钥，加密内容无法打开。",
                f"The key file {path} is missing though the database exists. Put the keys back.",
                code="keys_missing",
            ) from None
        _create(path)
        return path.stat()


@lru_cache(maxsize=4)
def _read(path: Path, _inode: int, _changed: int, _mark: Path) -> KeyRing:
    raw = json.loads(path.read_text())
    mark = hashlib.sha256(raw["index"].encode()).hexdigest()
    if not _fingerprint_path().exists():
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
        ciphers={int(number): cipher for number, cipher in raw.get("ciphers", {}).items()},
        digest_name=raw.get("digest", SHA256),
        rotating=bool(raw.get("rotating")),
        retired={int(number): at for number, at in raw.get("retired", {}).items()},
    )


@lru_cache(maxsize=4)
def _where(_home: str | None, _keys: str | None, _folder: str) -> tuple[Path, Path]:
    """Where the ring and its mark lie, put together once for each setting: every sealed cell that is read asks for them."""
    return _ring_path(), _fingerprint_path()


def keyring() -> KeyRing:
    """The ring of this office, as its file stands now: a server that runs takes a new key into use at once."""
    path, mark = _where(os.environ.get("DOUDI_HOME"), os.environ.get("DOUDI_KEYS"), os.getcwd())
    there = _checked(path)
    return _read(path, there.st_ino, there.st_mtime_ns, mark)


# ---- changing keys -----------------------------------------------------------------------------------------------


def take_new_key() -> KeyRing:
    """Put a fresh key into use; the earlier ones stay and open what they sealed. A rotation under way is taken up again."""
    ring = keyring()
    if ring.rotating:
        return ring
    raw = _raw()
    number, cipher = max(map(int, raw["sealing"])) + 1, chosen_cipher()
    raw["sealing"][str(number)] = _fresh(_KEY_BYTES[cipher])
    raw.setdefault("ciphers", {})[str(number)] = cipher
    raw.setdefault("retired", {})[str(raw["active"])] = datetime.now(UTC).isoformat()
    raw |= {"active": number, "rotating": True}
    return _write(raw)


def end_rotation() -> KeyRing:
    """Note that nothing that is known of is sealed with an earlier key any more."""
    raw = _raw()
    raw["rotating"] = False
    return _write(raw)


def drop_key(number: int) -> KeyRing:
    """Destroy an earlier key; whatever it sealed can never be opened again. Who calls has made sure that nothing is left."""
    raw = _raw()
    if number == raw["active"]:
        raise ValueError("the key in use is not dropped")
    for part in ("sealing", "ciphers", "retired"):
        raw.get(part, {}).pop(str(number), None)
    return _write(raw)


def signing_key() -> Ed25519PrivateKey:
    """The office's own signature (Ed25519), made on first use: whoever has the public half can check a paper of the log."""
    with (home().root / ".signing.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        keyring()
        raw = _raw()
        if "signing" not in raw:
            raw["signing"] = _fresh(32)
            _write(raw)
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(raw["signing"]))


def _raw() -> dict[str, Any]:
    raw: dict[str, Any] = json.loads(_ring_path().read_text())
    return raw


def _write(raw: dict[str, Any]) -> KeyRing:
    write_aside(_ring_path(), json.dumps(raw, indent=1).encode())
    return keyring()
