"""What seals and indexes: published vectors, either cipher, a change of keys while a server runs."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from doudi.engine.errors import DoudiError
from doudi.house import keyring as rings
from doudi.house.keyring import AES, SM3, SM4, SealBroken, drop_key, end_rotation, keyring, take_new_key


@pytest.mark.parametrize("cipher", ["aes", "sm4"])
@pytest.mark.parametrize("plain", [b"", b"x", "51010119700101123X 张三".encode(), b"\x00" * 5000])
def test_what_is_sealed_opens_for_its_purpose_alone(office, monkeypatch, cipher, plain):
    monkeypatch.setenv("DOUDI_CIPHER", cipher)

    sealed = keyring().seal(plain, purpose="person.phone")

    assert keyring().open(sealed, purpose="person.phone") == plain
    assert keyring().seal(plain, purpose="person.phone") != sealed
    with pytest.raises(SealBroken):
        keyring().open(sealed, purpose="person.address")
    for where in (0, 2, 5, -1):
        changed = bytearray(sealed)
        changed[where] ^= 1
        with pytest.raises(SealBroken):
            keyring().open(bytes(changed), purpose="person.phone")
    for length in range(20):
        with pytest.raises(SealBroken):
            keyring().open(sealed[:length], purpose="person.phone")


def test_sm4_gcm_gives_the_vector_of_rfc_8998():
    key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    nonce = bytes.fromhex("00001234567800000000abcd")
    bound = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    plain = bytes.fromhex(
        "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"
        "eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa"
    )

    sealed = rings._encrypt(SM4, key, nonce, plain, bound)

    assert sealed[-16:].hex() == "83de3541e4c2b58177e065a9bf7b62ec"
    assert sealed[:8].hex() == "17f399f08c67d5ee"
    assert rings._decrypt(SM4, key, nonce, sealed, bound) == plain
    assert Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor().update(plain) == sealed[:-16]


def test_sm3_indexes_and_links_where_it_was_chosen(office, monkeypatch):
    monkeypatch.setenv("DOUDI_DIGEST", "sm3")

    ring = keyring()

    assert ring.digest_name == SM3
    assert ring.digests(["a", "b"], purpose="p") == [
        ring.digest("a", purpose="p"),
        ring.digest("b", purpose="p"),
    ]
    assert len(ring.chain(b"x", b"y")) == 32
    # the choice is the ring's for good: another setting later changes nothing that was indexed
    monkeypatch.setenv("DOUDI_DIGEST", "sha256")
    assert keyring().digest("a", purpose="p") == ring.digest("a", purpose="p")


def test_a_cipher_nobody_knows_is_told(office, monkeypatch):
    monkeypatch.setenv("DOUDI_CIPHER", "des")

    with pytest.raises(DoudiError, match="DOUDI_CIPHER"):
        keyring()


def test_a_ring_of_the_first_release_still_opens(office):
    """Without ciphers, digest or retired keys in the file."""
    sealed = keyring().seal(b"x", purpose="p")
    path = office / "keys" / "keyring.json"
    raw = json.loads(path.read_text())
    path.write_text(json.dumps({name: raw[name] for name in ("sealing", "active", "index", "audit")}))

    assert keyring().open(sealed, purpose="p") == b"x"
    assert keyring().digest_name == "sha256"


def test_a_running_server_takes_a_new_key_into_use_at_once(office, monkeypatch):
    server = keyring
    before = server().seal(b"x", purpose="p")

    monkeypatch.setenv("DOUDI_CIPHER", "sm4")
    ring = take_new_key()

    assert (ring.active, ring.ciphers[1], ring.ciphers[2], ring.rotating) == (2, AES, SM4, True)
    after = server().seal(b"x", purpose="p")
    assert (rings.key_number(before), rings.key_number(after)) == (1, 2)
    assert server().open(before, purpose="p") == server().open(after, purpose="p") == b"x"
    assert take_new_key().active == 2, "a rotation under way goes on with the same key"
    end_rotation()
    assert take_new_key().active == 3


def test_a_dropped_key_opens_nothing_any_more(office):
    before = keyring().seal(b"x", purpose="p")
    take_new_key()
    end_rotation()

    with pytest.raises(ValueError):
        drop_key(2)
    drop_key(1)

    with pytest.raises(SealBroken):
        keyring().open(before, purpose="p")
