"""The sealed file: a header that says how it is locked, then a stream in pieces, each sealed in its place.

AES-256-GCM (NIST SP 800-38D) under a key of this file alone, which is wrapped by the office's backup key or by a key
made from a passphrase (scrypt, RFC 7914). A piece knows its number and whether it is the last: a file that was cut,
changed or put together from two does not open.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import secrets
from collections.abc import Iterator
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from doudi.engine.errors import DoudiError

MAGIC = b"doudi-b1"
_PIECE = 1 << 20
_LONGEST_HEADER = 1 << 16
_NONCE = 12
_WRAP = b"doudi backup key"


class BackupBroken(DoudiError):
    """The file is no backup of ours, or not whole any more."""

    code = "backup_broken"


class WrongKey(DoudiError):
    """The key or passphrase is not the one the backup was made with."""

    code = "backup_key_wrong"


def broken(what_zh: str, what_en: str) -> BackupBroken:
    return BackupBroken(
        f"备份文件不完整或被改动：{what_zh}。什么都没有恢复；请换一份备份。",
        f"The backup is incomplete or was changed: {what_en}. Nothing was restored; take another backup.",
    )


class SealedWriter(io.RawIOBase):
    """A file to write a backup's stream into; :meth:`finish` writes the last piece."""

    def __init__(self, out: BinaryIO, *, key: bytes, lock: dict[str, Any]) -> None:
        own = secrets.token_bytes(32)
        nonce = secrets.token_bytes(_NONCE)
        header = json.dumps(
            {**lock, "key": _text(nonce + AESGCM(key).encrypt(nonce, own, _WRAP))}, sort_keys=True
        ).encode()
        self._out, self._seal, self._bound = out, AESGCM(own), hashlib.sha256(header).digest()
        self._number, self._held = 0, bytearray()
        out.write(MAGIC + len(header).to_bytes(4, "big") + header)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held += data
        # one piece is held back: only the last may say that it is the last
        while len(self._held) > _PIECE:
            self._piece(bytes(self._held[:_PIECE]), last=False)
            del self._held[:_PIECE]
        return len(data)

    def finish(self) -> None:
        self._piece(bytes(self._held), last=True)
        self._held.clear()

    def _piece(self, plain: bytes, *, last: bool) -> None:
        # the key is this file's alone, so the number of the piece is a nonce that never comes again
        sealed = self._seal.encrypt(
            self._number.to_bytes(_NONCE, "big"), plain, _place(self._bound, self._number, last)
        )
        self._out.write(len(sealed).to_bytes(4, "big") + sealed)
        self._number += 1


class SealedReader(io.RawIOBase):
    """The stream of a sealed file, every piece checked before a byte of it is given."""

    def __init__(self, source: BinaryIO, *, key: bytes) -> None:
        header = _header_bytes(source)
        wrapped = base64.b64decode(json.loads(header)["key"])
        try:
            own = AESGCM(key).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], _WRAP)
        except InvalidTag:
            raise WrongKey(
                "口令或密钥不对，打不开这份备份。请核对是否抄写完整；这份备份用的可能是另一把密钥。",
                "Wrong passphrase or key for this backup; check that it is complete, or that it is not another one's.",
            ) from None
        self._pieces = self._opened(source, AESGCM(own), hashlib.sha256(header).digest())
        self._held = b""

    @staticmethod
    def _opened(source: BinaryIO, seal: AESGCM, bound: bytes) -> Iterator[bytes]:
        number, length = 0, source.read(4)
        while length:
            size = int.from_bytes(length, "big")
            body = source.read(size) if size <= _PIECE + 16 else b""
            length = source.read(4)
            last = not length
            try:
                yield seal.decrypt(number.to_bytes(_NONCE, "big"), body, _place(bound, number, last))
            except (InvalidTag, ValueError):
                raise broken(f"第 {number + 1} 段打不开", f"piece {number + 1} does not open") from None
            number += 1
        if number == 0:
            raise broken("没有内容", "it has no content")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._held:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._held = piece
        taken = min(len(buffer), len(self._held))
        buffer[:taken] = self._held[:taken]
        self._held = self._held[taken:]
        return taken

    def drain(self) -> None:
        """Read to the end, so that a file cut after its last entry is found."""
        for _piece in self._pieces:
            pass


def read_lock(source: BinaryIO) -> dict[str, Any]:
    """How a backup is locked, without its key; :class:`BackupBroken` where the file is none of ours."""
    lock: dict[str, Any] = json.loads(_header_bytes(source))
    return lock


def _header_bytes(source: BinaryIO) -> bytes:
    if source.read(len(MAGIC)) != MAGIC:
        raise BackupBroken(
            "这个文件不是 doudi 的备份。请选择 doudi backup 生成的文件。",
            "This is no backup of doudi; choose a file that doudi backup made.",
        )
    size = int.from_bytes(source.read(4), "big")
    header = source.read(size) if size <= _LONGEST_HEADER else b""
    try:
        told = json.loads(header)
        assert isinstance(told, dict) and isinstance(told["key"], str)
    except (ValueError, KeyError, AssertionError):
        raise broken("开头读不出来", "its beginning cannot be read") from None
    return header


def _place(bound: bytes, number: int, last: bool) -> bytes:
    return bound + number.to_bytes(8, "big") + (b"last" if last else b"more")


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
