"""A source over HTTPS that lets in who shows its certificate (双向认证), with certificates made here and now."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from doudi.cli.reference_source import mutual_tls
from doudi.contexts.verification import services as verification
from doudi.contexts.verification.models import Query
from doudi.contexts.verification.services import ConnectorsInvalid
from doudi.engine.status import Status
from doudi.house.paths import home
from tests.contexts.verification.desk import started
from tests.contexts.verification.sources import connect, department
from tests.small_county import ZHANG_WEI

SAVED = {
    "name": "张伟", "id_number": ZHANG_WEI, "institution": "甲银行", "balance": "1.00", "balance_on": "2024-11-01",
}  # fmt: skip


@dataclass
class Authority:
    """A certificate authority of our own."""

    folder: Path
    name: str

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._signed(self.name, self.key, ca=True)
        self.path = self._written(f"{self.name}-ca.pem", self.certificate)

    def issue(
        self, name: str, *, host: str = "127.0.0.1", days: int = 2, password: bytes = b""
    ) -> tuple[Path, Path]:
        """A certificate and its key; ``days`` negative: it ran out."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(name, key, host=host, days=days)
        lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        key_path = self.folder / f"{self.name}-{name}.key"
        key_path.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
        )
        return self._written(f"{self.name}-{name}.pem", certificate), key_path

    def _written(self, name: str, certificate: x509.Certificate) -> Path:
        path = self.folder / name
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def _signed(self, name: str, key, *, host: str = "", days: int = 2, ca: bool = False) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        made = (
            x509.CertificateBuilder()
            .subject_name(issuer if ca else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=9))
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
        )
        if ca:
            usage = dict.fromkeys(
                ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                 "key_agreement", "encipher_only", "decipher_only"), False,
            )  # fmt: skip
            made = made.add_extension(
                x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True
            )
        if host:
            made = made.add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False
            )
        return made.sign(self.key, hashes.SHA256())


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


@pytest.fixture
def asked(opened, sign, rules, verifier, clerk):
    return started(opened, sign, rules, verifier, clerk)


@pytest.fixture
def bank(ours: Authority):
    """The bank's server, which asks every house for its certificate."""
    with department({"deposit": {ZHANG_WEI: [SAVED]}}, tls=mutual_tls(*ours.issue("bank"), ours.path)) as up:
        yield up


def ask(rules, pack, by):
    return verification.ask_source("deposit", rules=rules, specs=pack.feeds, by=by)


def test_with_both_certificates_the_question_is_answered(asked, bank, ours, verifier, rules, pack) -> None:
    peer, address = bank
    certificate, key = ours.issue("county")
    # paths lie in the state folder, as an office keeps them
    for path in (ours.path, certificate, key):
        (home().root / path.name).write_bytes(path.read_bytes())
    connect(
        deposit={
            "way": "http", "address": address, "ca": ours.path.name, "certificate": certificate.name,
            "private_key": key.name,
        }
    )  # fmt: skip
    outcome = ask(rules, pack, verifier)
    assert (outcome.known, outcome.no_record, outcome.problem) == (1, 1, "")
    assert peer.asked == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("none", "要求我方出示证书"),
        ("stranger", "不接受我方的证书"),
        ("expired", "不接受我方的证书"),
        ("unknown_bank", "对方的证书通不过检查"),
        ("other_host", "对方的证书通不过检查"),
    ],
)
def test_without_the_right_certificates_nothing_is_told_and_it_is_tried_again(
    wrong, said, asked, ours, verifier, rules, pack, tmp_path
) -> None:
    stranger = Authority(tmp_path, "stranger")
    host = "127.0.0.9" if wrong == "other_host" else "127.0.0.1"
    tls = mutual_tls(*ours.issue("bank", host=host), ours.path)
    mine = None
    if wrong != "none":
        authority = stranger if wrong == "stranger" else ours
        mine = authority.issue("county", days=-1 if wrong == "expired" else 2)
    with department({"deposit": {ZHANG_WEI: [SAVED]}}, tls=tls) as (peer, address):
        entry = {"way": "http", "address": address, "ca": str(ours.path)}
        if wrong == "unknown_bank":
            entry["ca"] = str(stranger.path)
        if mine is not None:
            entry |= {"certificate": str(mine[0]), "private_key": str(mine[1])}
        connect(deposit=entry)
        outcome = ask(rules, pack, verifier)
    assert peer.asked == 0
    assert said in outcome.problem, outcome.problem
    assert (outcome.known, outcome.again) == (0, 2)
    assert set(Query.objects.filter(source="deposit").values_list("status", flat=True)) == {
        Status.NOT_ARRIVED
    }


def test_a_key_that_does_not_fit_or_is_locked_is_said_and_nobody_is_asked_to_type(
    asked, bank, ours, verifier, rules, pack
) -> None:
    _peer, address = bank
    certificate, _key = ours.issue("county")
    _other, other_key = ours.issue("other")
    locked, locked_key = ours.issue("locked", password=b"a-pass-phrase")
    for one, key in ((certificate, other_key), (locked, locked_key), (certificate, Path("nowhere.key"))):
        connect(
            deposit={
                "way": "http", "address": address, "ca": str(ours.path), "certificate": str(one), "private_key": str(key),
            }
        )  # fmt: skip
        with pytest.raises(ConnectorsInvalid, match="证书文件不能用"):
            ask(rules, pack, verifier)
    assert not Query.objects.exclude(claimed_until=None).exists()
