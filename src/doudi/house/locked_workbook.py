"""A workbook that opens in Excel with a password alone (MS-OFFCRYPTO agile encryption: AES-256-CBC, SHA-512).

In comes a finished .xlsx and a password; out comes the compound file (MS-CFB) that Excel, WPS and LibreOffice ask a
password for. It reads no workbook and keeps no password.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from doudi.engine.errors import DoudiError

SHORTEST, LONGEST = 8, 200
_SPINS = 100_000
_SEGMENT = 4096
_SECTOR = 512
_MINI = 64
_CUTOFF = 4096
_FREE, _END, _FAT, _DIFAT, _NONE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFC, 0xFFFFFFFF
_INPUT, _HASH, _VALUE = (
    bytes.fromhex(code) for code in ("fea7d2763b4b9e79", "d7aa0f6d3061344e", "146e0be7abacd0d6")
)
_MAC_KEY, _MAC_VALUE = (bytes.fromhex(code) for code in ("5fb2ad010cb9e1f6", "a0677f02b22c8433"))
"""Block keys of MS-OFFCRYPTO 2.3.4.11 to 2.3.4.14."""


def lock_workbook(plain: bytes, password: str) -> bytes:
    """The workbook behind a password of eight characters or more, or a refusal."""
    require_strong(password)
    key_salt, salt, secret = (secrets.token_bytes(size) for size in (16, 16, 32))
    spun = _spun(password, salt)
    verifier = secrets.token_bytes(16)
    package = struct.pack("<Q", len(plain)) + b"".join(
        _cbc(secret, _iv(key_salt, struct.pack("<I", number)), _padded(plain[start : start + _SEGMENT]))
        for number, start in enumerate(range(0, len(plain), _SEGMENT))
    )
    mac_key = secrets.token_bytes(64)
    mac = hmac.digest(mac_key, package, hashlib.sha512)
    said = {
        "keySalt": key_salt,
        "macKey": _cbc(secret, _iv(key_salt, _MAC_KEY), mac_key),
        "macValue": _cbc(secret, _iv(key_salt, _MAC_VALUE), mac),
        "salt": salt,
        "input": _cbc(_key(spun, _INPUT), salt, verifier),
        "hash": _cbc(_key(spun, _HASH), salt, hashlib.sha512(verifier).digest()),
        "value": _cbc(_key(spun, _VALUE), salt, secret),
    }
    info = struct.pack("<HHI", 4, 4, 0x40) + _describe(
        {name: base64.b64encode(raw).decode() for name, raw in said.items()}
    )
    return _compound([("EncryptionInfo", info), ("EncryptedPackage", package)])


def require_strong(password: str) -> None:
    """Refuse a password that is soon guessed: who has the file may try as often as he likes."""
    if not SHORTEST <= len(password) <= LONGEST or len(set(password)) < 5:
        raise DoudiError(
            f"表格的打开密码须 {SHORTEST} 至 {LONGEST} 个字符，且不能只是几个字符的重复。",
            f"The workbook's password has {SHORTEST} to {LONGEST} characters, and not the same few over and over.",
            code="password_weak",
        )


def _spun(password: str, salt: bytes) -> bytes:
    running = hashlib.sha512(salt + password.encode("utf-16-le")).digest()
    for number in range(_SPINS):
        running = hashlib.sha512(struct.pack("<I", number) + running).digest()
    return running


def _key(spun: bytes, block: bytes) -> bytes:
    return hashlib.sha512(spun + block).digest()[:32]


def _iv(salt: bytes, block: bytes) -> bytes:
    return hashlib.sha512(salt + block).digest()[:16]


def _padded(piece: bytes) -> bytes:
    return piece + b"\x00" * (-len(piece) % 16)


def _cbc(key: bytes, iv: bytes, plain: bytes) -> bytes:
    running = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return running.update(plain) + running.finalize()


def _describe(said: dict[str, str]) -> bytes:
    how = (
        'blockSize="16" keyBits="256" hashSize="64" cipherAlgorithm="AES" cipherChaining="ChainingModeCBC" '
        'hashAlgorithm="SHA512"'
    )
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n'
        '<encryption xmlns="http://schemas.microsoft.com/office/2006/encryption" '
        'xmlns:p="http://schemas.microsoft.com/office/2006/keyEncryptor/password">'
        f'<keyData saltSize="16" {how} saltValue="{said["keySalt"]}"/>'
        f'<dataIntegrity encryptedHmacKey="{said["macKey"]}" encryptedHmacValue="{said["macValue"]}"/>'
        '<keyEncryptors><keyEncryptor uri="http://schemas.microsoft.com/office/2006/keyEncryptor/password">'
        f'<p:encryptedKey spinCount="{_SPINS}" saltSize="16" {how} saltValue="{said["salt"]}" '
        f'encryptedVerifierHashInput="{said["input"]}" encryptedVerifierHashValue="{said["hash"]}" '
        f'encryptedKeyValue="{said["value"]}"/></keyEncryptor></keyEncryptors></encryption>'
    ).encode()


# ---- the compound file (MS-CFB, version 3) -----------------------------------------------------------------------


def _compound(streams: list[tuple[str, bytes]]) -> bytes:
    """Streams in one compound file: small ones in the mini stream, the tables in front of the content."""
    mini, starts = b"", {}
    mini_fat: list[int] = []
    for name, content in streams:
        if len(content) < _CUTOFF:
            starts[name] = len(mini_fat)
            count = -(-len(content) // _MINI)
            mini_fat += [*range(len(mini_fat) + 1, len(mini_fat) + count), _END]
            mini += content + b"\x00" * (-len(content) % _MINI)
    mini_table = b"".join(struct.pack("<I", entry) for entry in mini_fat)
    mini_table += struct.pack("<I", _FREE) * (-len(mini_fat) % (_SECTOR // 4))
    chains = [("directory", b"\x00" * _SECTOR), ("mini fat", mini_table), ("mini", mini)]
    chains += [(name, content) for name, content in streams if name not in starts]
    sizes = {name: -(-len(content) // _SECTOR) for name, content in chains}
    fats, difats = _table_sizes(sum(sizes.values()))
    fat = [_DIFAT] * difats + [_FAT] * fats
    at = {}
    for name, _content in chains:
        at[name] = len(fat) if sizes[name] else _END
        if sizes[name]:
            fat += [*range(len(fat) + 1, len(fat) + sizes[name]), _END]
    fat += [_FREE] * (fats * (_SECTOR // 4) - len(fat))
    directory = _directory(streams, {**at, **starts}, mini_at=at["mini"], mini_size=len(mini))
    body = _difat_sectors(fats, difats) + b"".join(struct.pack("<I", entry) for entry in fat)
    for name, content in chains:
        whole = directory if name == "directory" else content
        body += whole + b"\x00" * (-len(whole) % _SECTOR)
    return _header(fats, difats, at["directory"], at["mini fat"], sizes["mini fat"]) + body


def _table_sizes(content: int) -> tuple[int, int]:
    """How many sectors the allocation table takes, itself and its own list included."""
    fats = difats = 0
    while True:
        needed = -(-(content + fats + difats) // (_SECTOR // 4))
        listed = -(-max(0, needed - 109) // (_SECTOR // 4 - 1))
        if (needed, listed) == (fats, difats):
            return fats, difats
        fats, difats = needed, listed


def _header(fats: int, difats: int, directory: int, mini_fat: int, mini_fats: int) -> bytes:
    first = [difats + number for number in range(min(fats, 109))]
    return (
        bytes.fromhex("d0cf11e0a1b11ae1") + b"\x00" * 16
        + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + b"\x00" * 6
        + struct.pack("<IIIII", 0, fats, directory, 0, _CUTOFF)
        + struct.pack("<IIII", mini_fat, mini_fats, 0 if difats else _END, difats)
        + struct.pack("<109I", *first, *[_FREE] * (109 - len(first)))
    )  # fmt: skip


def _difat_sectors(fats: int, difats: int) -> bytes:
    rest = [difats + number for number in range(109, fats)]
    out, width = b"", _SECTOR // 4 - 1
    for number in range(difats):
        listed = rest[number * width : (number + 1) * width]
        following = number + 1 if number + 1 < difats else _END
        out += struct.pack(f"<{width + 1}I", *listed, *[_FREE] * (width - len(listed)), following)
    return out


def _directory(
    streams: list[tuple[str, bytes]], at: dict[str, int], *, mini_at: int, mini_size: int
) -> bytes:
    """The root with its streams as one branch: a shorter name is the smaller one (MS-CFB 2.6.4)."""
    ordered = sorted(streams, key=lambda one: (len(one[0]), one[0].upper()))
    entries = [_entry("Root Entry", 5, child=1, start=mini_at, size=mini_size)]
    for number, (name, content) in enumerate(ordered, start=1):
        right = number + 1 if number < len(ordered) else _NONE
        entries.append(_entry(name, 2, right=right, start=at[name], size=len(content)))
    entries += [_entry("", 0)] * (_SECTOR // 128 - len(entries))
    return b"".join(entries)


def _entry(
    name: str, kind: int, *, right: int = _NONE, child: int = _NONE, start: int = 0, size: int = 0
) -> bytes:
    written = (name + "\x00").encode("utf-16-le") if name else b""
    return (
        written.ljust(64, b"\x00")
        + struct.pack("<HBB", len(written), kind, 1)
        + struct.pack("<III", _NONE, right, child)
        + b"\x00" * 36
        + struct.pack("<IQ", start, size)
    )
