"""A zip file that opens with a password alone (加密压缩包), as 7-Zip, WinRAR and WPS open it.

AES-256 after the WinZip specification AE-2: PBKDF2-HMAC-SHA1 with 1000 rounds, AES in counter mode (little-endian,
from 1), HMAC-SHA1 over the encrypted bytes. One file per archive, stored after deflate.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
import zlib

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from doudi.engine.errors import DoudiError

LIMIT = 64 << 20
"""Bytes that an opened archive may hold."""
_AES, _DEFLATED, _UTF8_ENCRYPTED = 99, 8, 0x801
_SALT, _CHECK, _MAC = 16, 2, 10
_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789"


class ZipRefused(DoudiError):
    """An archive that cannot be opened: another password, another kind of zip, or cut off."""

    code = "zip_refused"


def new_password() -> str:
    """A password to tell over another channel: 16 letters and digits that are not taken for each other (≈ 92 bits)."""
    return "".join(secrets.choice(_LETTERS) for _ in range(16))


def _keys(password: str, salt: bytes) -> tuple[bytes, bytes, bytes]:
    made = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, 1000, 66)
    return made[:32], made[32:64], made[64:]


def _counted(key: bytes, content: bytes) -> bytes:
    """AES-CTR as WinZip counts: little-endian, which the library's own counter mode does not."""
    blocks = -(-len(content) // 16)
    counters = b"".join(number.to_bytes(16, "little") for number in range(1, blocks + 1))
    # the counters are distinct blocks under a key that a fresh salt makes: this is CTR and not ECB of content
    stream = Cipher(AES(key), ECB()).encryptor().update(counters)[: len(content)]  # noqa: S305
    return (int.from_bytes(content, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(content), "big")


def lock(name: str, content: bytes, password: str) -> bytes:
    """An archive with the one file ``name``, encrypted with ``password``."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(content) + packer.flush()
    salt = secrets.token_bytes(_SALT)
    key, mac_key, check = _keys(password, salt)
    sealed = _counted(key, packed)
    body = salt + check + sealed + hmac.digest(mac_key, sealed, hashlib.sha1)[:_MAC]
    title = name.encode()
    extra = struct.pack("<HHH2sBH", 0x9901, 7, 2, b"AE", 3, _DEFLATED)
    # AE-2 leaves the checksum of the plain content out; the MAC stands for it
    fields = (51, _UTF8_ENCRYPTED, _AES, 0, 0x21, 0, len(body), len(content), len(title), len(extra))
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", *fields) + title + extra
    central = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 51, *fields, 0, 0, 0, 0, 0) + title + extra
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(central), len(local) + len(body), 0)
    return local + body + central + end


def is_zip(content: bytes) -> bool:
    """Whether the bytes begin as an AES-encrypted zip does; a workbook begins as a plain one."""
    return content[:4] == b"PK\x03\x04" and len(content) > 30 and content[8:10] == _AES.to_bytes(2, "little")


def unlock(content: bytes, password: str) -> tuple[str, bytes]:
    """The name and content of the one file in an encrypted archive. Raises :class:`ZipRefused`."""
    try:
        name, body, method = _sealed_part(content)
        key, mac_key, check = _keys(password, body[:_SALT])
        sealed, mac = body[_SALT + _CHECK : -_MAC], body[-_MAC:]
        if body[_SALT : _SALT + _CHECK] != check or not hmac.compare_digest(
            hmac.digest(mac_key, sealed, hashlib.sha1)[:_MAC], mac
        ):
            raise ZipRefused(
                "压缩包的口令不对，或文件被改动。请用来源台上约定的口令加密。",
                "The password is wrong, or the archive was changed; use the agreed password.",
                code="zip_password",
            )
        packed = _counted(key, sealed)
        if method == 0:
            return name, packed
        unpacker = zlib.decompressobj(wbits=-15)
        plain = unpacker.decompress(packed, LIMIT + 1)
    except (struct.error, IndexError, ValueError, zlib.error, UnicodeDecodeError):
        raise ZipRefused(
            "这个压缩包打不开：请用 AES-256 加密，一个包里只放一个文件。",
            "The archive cannot be opened: use AES-256 and one file.",
        ) from None
    if len(plain) > LIMIT:
        raise ZipRefused(
            f"压缩包解开后超过 {LIMIT >> 20} MB。", f"The archive holds more than {LIMIT >> 20} MB."
        )
    return name, plain


def _sealed_part(content: bytes) -> tuple[str, bytes, int]:
    """Name, sealed bytes and inner method, by the central directory: other tools leave sizes out of the local header."""
    end = content.rindex(b"PK\x05\x06")
    entries, start = (
        struct.unpack_from("<H", content, end + 10)[0],
        struct.unpack_from("<L", content, end + 16)[0],
    )
    head = struct.unpack_from("<4s6H3L5H2L", content, start)
    title, extra = head[10], head[11]
    if entries != 1 or head[0] != b"PK\x01\x02" or head[4] != _AES:
        raise ValueError("not one encrypted file")
    name = content[start + 46 : start + 46 + title].decode("utf-8" if head[3] & 0x800 else "gb18030")
    fields = content[start + 46 + title : start + 46 + title + extra]
    place = fields.index(b"\x01\x99\x07\x00")
    strength, method = struct.unpack_from("<BH", fields, place + 8)
    if strength != 3 or method not in (0, _DEFLATED):
        raise ValueError("not AES-256")
    local = head[16]
    skip = struct.unpack_from("<2H", content, local + 26)
    begin = local + 30 + sum(skip)
    body = content[begin : begin + head[8]]
    if len(body) < _SALT + _CHECK + _MAC:
        raise ValueError("cut off")
    return name, body, method
