"""Signed messages between houses (签名请求): who sent this, unchanged, now and once.

A message is signed with a secret that both sides keep: HMAC (RFC 2104) over SHA-256 or SM3 (GB/T 32905-2016). The
signature covers method, path with query, time, a number used once, and the digest of the body; an answer is signed over
the number of its request, so that it cannot be an answer to another one.
"""

from __future__ import annotations

import hashlib
import hmac as plain_hmac
import secrets
import time
from collections.abc import Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from doudi.engine.errors import DoudiError

ALGORITHMS = ("HMAC-SHA256", "HMAC-SM3")
WINDOW = 300
"""Seconds a signed message may be old, or ahead of our clock."""
KEY, TIME, NONCE, ALGORITHM, SIGNATURE = HEADERS = (
    "X-Doudi-Key", "X-Doudi-Time", "X-Doudi-Nonce", "X-Doudi-Algorithm", "X-Doudi-Signature",
)  # fmt: skip
LEAST_SECRET = 16
"""Characters; a shorter secret is refused."""


class SignatureRefused(DoudiError):
    """A message is not signed, not by whom it says, not of now, or was changed on its way."""

    code = "signature_refused"


def _mac(algorithm: str, secret: str, text: bytes) -> str:
    chosen = hashes.SM3() if algorithm == "HMAC-SM3" else hashes.SHA256()
    mac = HMAC(secret.encode(), chosen)
    mac.update(text)
    return mac.finalize().hex()


def _checked(algorithm: str, secret: str) -> None:
    if algorithm not in ALGORITHMS:
        raise SignatureRefused(
            f"签名算法只能是 {'、'.join(ALGORITHMS)}，收到“{algorithm[:40]}”。",
            f"The algorithm is one of {', '.join(ALGORITHMS)}.",
            code="signature_algorithm",
        )
    if len(secret) < LEAST_SECRET:
        raise SignatureRefused(
            f"签名密钥至少 {LEAST_SECRET} 个字符。",
            f"A signing secret has {LEAST_SECRET} characters or more.",
            code="secret_short",
        )


def _text(method: str, path: str, moment: str, nonce: str, body: bytes) -> bytes:
    return "\n".join([method.upper(), path, moment, nonce, hashlib.sha256(body).hexdigest()]).encode()


def sign(
    method: str, path: str, body: bytes, *, key: str, secret: str, algorithm: str = "HMAC-SHA256"
) -> dict[str, str]:
    """The headers that sign a request; ``path`` as it stands in the request line, with its query."""
    _checked(algorithm, secret)
    moment, nonce = str(int(time.time())), secrets.token_hex(16)
    return {
        KEY: key,
        TIME: moment,
        NONCE: nonce,
        ALGORITHM: algorithm,
        SIGNATURE: _mac(algorithm, secret, _text(method, path, moment, nonce, body)),
    }


def check(
    method: str,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    secret: str,
    now: float | None = None,
) -> str:
    """Check a request's signature; gives its nonce, which the caller lets through once. Raises :class:`SignatureRefused`."""
    missing = [name for name in HEADERS if not headers.get(name)]
    if missing:
        raise SignatureRefused(
            f"请求没有签名（缺 {'、'.join(missing)}）。",
            f"The request is not signed: {', '.join(missing)}.",
            code="signature_missing",
        )
    algorithm, moment, nonce = headers[ALGORITHM], headers[TIME], headers[NONCE]
    _checked(algorithm, secret)
    if not moment.isascii() or not moment.isdigit() or len(moment) > 12:
        raise SignatureRefused("签名时间不对。", "The time of the signature is malformed.")
    if abs((time.time() if now is None else now) - int(moment)) > WINDOW:
        raise SignatureRefused(
            f"签名时间与本机相差超过 {WINDOW // 60} 分钟。请校准两边的时钟。",
            f"The signature's time is more than {WINDOW // 60} minutes off; set the clocks.",
            code="signature_stale",
        )
    if not (16 <= len(nonce) <= 64 and nonce.isascii() and nonce.isalnum()):
        raise SignatureRefused("签名随机数不对。", "The nonce of the signature is malformed.")
    right = _mac(algorithm, secret, _text(method, path, moment, nonce, body))
    if not plain_hmac.compare_digest(right.encode(), headers[SIGNATURE].encode()):
        raise SignatureRefused(
            "签名不对：密钥不同，或内容在途中被改动。",
            "The signature is wrong: another secret, or the content was changed.",
        )
    return nonce


def sign_answer(body: bytes, *, nonce: str, secret: str, algorithm: str) -> str:
    """The signature of an answer to the request with ``nonce``; it goes back in ``X-Doudi-Signature``."""
    _checked(algorithm, secret)
    return _mac(algorithm, secret, b"answer\n" + nonce.encode() + b"\n" + hashlib.sha256(body).digest())


def check_answer(body: bytes, signature: str, *, nonce: str, secret: str, algorithm: str) -> None:
    """Check the signature of an answer, or raise :class:`SignatureRefused`."""
    right = sign_answer(body, nonce=nonce, secret=secret, algorithm=algorithm)
    if not plain_hmac.compare_digest(right.encode(), signature.encode("ascii", "replace")):
        raise SignatureRefused(
            "对方答复的签名不对，答复不采用。", "The answer's signature is wrong; it is not used.", code="answer_unsigned"
        )  # fmt: skip
