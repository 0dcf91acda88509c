"""A workbook behind a password: read back here by the standard's own steps, and by a compound file reader of our own.

The files were opened with msoffcrypto-tool 6 as well (2026-11-29, sizes 1 byte to 20 MB, integrity verified); it is no
dependency of the tests.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import os
import re
import struct

import openpyxl
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from doudi.engine.errors import DoudiError
from doudi.house.locked_workbook import lock_workbook

PASSWORD = "密码 pass-8"


def streams_of(file: bytes) -> dict[str, bytes]:
    """The streams of a compound file by name, read along its chains (MS-CFB)."""
    assert file[:8].hex() == "d0cf11e0a1b11ae1"
    fats, directory, _sign, cutoff, mini_fat, _count, difat, difats = struct.unpack("<IIIIIIII", file[44:76])
    places = list(struct.unpack("<109I", file[76:512]))
    sector = lambda number: file[512 * (number + 1) : 512 * (number + 2)]  # noqa: E731
    for _number in range(difats):
        *more, difat = struct.unpack("<128I", sector(difat))
        places += more
    fat = [entry for place in places[:fats] for entry in struct.unpack("<128I", sector(place))]

    def chain(start: int) -> bytes:
        out = []
        while start < 0xFFFFFFF0:
            out.append(sector(start))
            start = fat[start]
        return b"".join(out)

    entries = chain(directory)
    found, mini, links = {}, b"", struct.unpack(f"<{len(chain(mini_fat)) // 4}I", chain(mini_fat))
    for at in range(0, len(entries), 128):
        entry = entries[at : at + 128]
        length, kind = struct.unpack("<HB", entry[64:67])
        start, size = struct.unpack("<IQ", entry[116:128])
        name = entry[: max(0, length - 2)].decode("utf-16-le")
        if kind == 5:
            mini = chain(start)
        elif kind == 2 and size >= cutoff:
            found[name] = chain(start)[:size]
        elif kind == 2:
            out = b""
            while start < 0xFFFFFFF0:
                out += mini[64 * start : 64 * start + 64]
                start = links[start]
            found[name] = out[:size]
    return found


def opened(file: bytes, password: str) -> bytes:
    """The workbook inside, by the steps of MS-OFFCRYPTO 2.3.4.10; asserts the verifier and the integrity."""
    streams = streams_of(file)
    xml = streams["EncryptionInfo"][8:].decode()
    key_data, key_encryptor = re.search("<keyData[^>]*>", xml)[0], re.search("<p:encryptedKey[^>]*>", xml)[0]
    said = lambda part, name: base64.b64decode(re.search(f'{name}="([^"]*)"', part)[1])  # noqa: E731
    sha = lambda *parts: hashlib.sha512(b"".join(parts)).digest()  # noqa: E731

    def cbc(key: bytes, iv: bytes, content: bytes) -> bytes:
        running = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
        return running.update(content) + running.finalize()

    salt = said(key_encryptor, "saltValue")
    spun = sha(salt, password.encode("utf-16-le"))
    for number in range(int(re.search('spinCount="([0-9]+)"', key_encryptor)[1])):
        spun = sha(struct.pack("<I", number), spun)
    part = lambda block, name: cbc(sha(spun, bytes.fromhex(block))[:32], salt, said(key_encryptor, name))  # noqa: E731
    verifier = part("fea7d2763b4b9e79", "encryptedVerifierHashInput")
    assert sha(verifier) == part("d7aa0f6d3061344e", "encryptedVerifierHashValue"), "wrong password"
    secret = part("146e0be7abacd0d6", "encryptedKeyValue")
    key_salt, package = said(key_data, "saltValue"), streams["EncryptedPackage"]
    mac_key = cbc(
        secret, sha(key_salt, bytes.fromhex("5fb2ad010cb9e1f6"))[:16], said(xml, "encryptedHmacKey")
    )
    mac = cbc(secret, sha(key_salt, bytes.fromhex("a0677f02b22c8433"))[:16], said(xml, "encryptedHmacValue"))
    assert hmac.digest(mac_key, package, "sha512") == mac
    out = b"".join(
        cbc(secret, sha(key_salt, struct.pack("<I", number))[:16], package[start : start + 4096])
        for number, start in enumerate(range(8, len(package), 4096))
    )
    return out[: struct.unpack("<Q", package[:8])[0]]


@pytest.mark.parametrize("size", [1, 15, 4095, 4096, 4097, 70_000, 7_200_000])
def test_what_is_locked_opens_to_the_same_bytes(size):
    plain = os.urandom(size)

    assert opened(lock_workbook(plain, PASSWORD), PASSWORD) == plain


def test_a_workbook_is_read_again_and_nothing_of_it_without_the_password():
    book = openpyxl.Workbook()
    book.active["A1"] = "张三"
    held = io.BytesIO()
    book.save(held)

    locked = lock_workbook(held.getvalue(), PASSWORD)

    assert b"PK\x03\x04" not in locked and "张三".encode() not in locked
    assert openpyxl.load_workbook(io.BytesIO(opened(locked, PASSWORD))).active["A1"].value == "张三"
    with pytest.raises(AssertionError, match="wrong password"):
        opened(locked, "密码 pass-9")


def test_a_changed_byte_of_the_content_is_found():
    locked = bytearray(lock_workbook(os.urandom(50_000), PASSWORD))
    locked[-3000] ^= 1

    with pytest.raises(AssertionError):
        opened(bytes(locked), PASSWORD)


@pytest.mark.parametrize("weak", ["", "short", "1111111111", "1" * 300])
def test_a_weak_password_is_refused(weak):
    with pytest.raises(DoudiError) as refused:
        lock_workbook(b"x", weak)

    assert refused.value.code == "password_weak"
