"""One signed call to a declared host, and nothing else: no redirect, no proxy, no other host, a bounded answer.

The host is the one of the connection data; what a peer answers never says where to go next, so that nobody can make this
office call another machine (SSRF).
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from doudi.contexts.verification.connectors.answers import SourceLied, SourceUnavailable
from doudi.contexts.verification.connectors.declared import Connection, ConnectorsInvalid, secret_of
from doudi.house import outward, signing
from doudi.house.paths import home

MOST = 16 << 20
"""Bytes of an answer."""


def call(
    connection: Connection, method: str, path: str, content: Any = None, *, token: str = ""
) -> dict[str, Any]:
    """Send one request signed with the connection's secret and give the JSON object that came back, its signature checked.

    ``path`` is put behind the connection's address. Raises :class:`SourceUnavailable` where trying again may help and
    :class:`SourceLied` where the answer is not to be used.
    """
    parts = urlsplit(connection.address)
    secret = secret_of(connection.secret, what=connection.name)
    if not secret:
        raise ConnectorsInvalid(
            f"{connection.name} 没有签名密钥（secret），不能发出查询。",
            f"{connection.name} has no signing secret: nothing is sent.",
            code="secret_missing",
        )
    target = parts.path.rstrip("/") + path
    body = b"" if content is None else json.dumps(content, ensure_ascii=False).encode()
    headers = signing.sign(
        method, target, body, key=connection.key, secret=secret, algorithm=connection.algorithm
    )
    nonce = headers[signing.NONCE]
    headers |= {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "doudi"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    status, answer, signature = _exchange(connection, method, target, body, headers)
    if status == 429 or status >= 500:
        raise SourceUnavailable(
            f"{connection.name} 答复 {status}，稍后再试。",
            f"{connection.name} answered {status}; later again.",
        )
    if not 200 <= status < 300:
        raise _refused(connection, status, answer)
    signing_problem = None
    try:
        signing.check_answer(answer, signature, nonce=nonce, secret=secret, algorithm=connection.algorithm)
    except signing.SignatureRefused as problem:
        signing_problem = problem
    if signing_problem is not None:
        raise SourceLied(signing_problem.zh, signing_problem.en)
    try:
        told = json.loads(answer)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise SourceLied(
            f"{connection.name} 的答复不是 JSON 对象。", f"{connection.name}: the answer is no JSON object."
        )
    return told


def _refused(connection: Connection, status: int, answer: bytes) -> SourceLied:
    """What the peer said against it, shortened: it goes into a log that people read, not into a page as markup."""
    try:
        told = json.loads(answer)
        why = str(told.get("zh") or told.get("why") or "")[:160] if isinstance(told, dict) else ""
        signature = isinstance(told, dict) and str(told.get("code", "")).startswith("signature_")
    except (ValueError, RecursionError):
        why, signature = "", False
    return SourceLied(
        f"{connection.name} 拒绝了请求（{status}）{f'：{why}' if why else ''}。请核对地址、账号和密钥。",
        f"{connection.name} refused the request ({status}); check address, key and secret.",
        # clocks and secrets get mended: what was refused for its signature alone is tried again
        code="signature_refused_there" if signature else "source_refused",
    )


def _exchange(
    connection: Connection, method: str, target: str, body: bytes, headers: dict[str, str]
) -> tuple[int, bytes, str]:
    try:
        answer = outward.exchange(
            connection.address,
            method,
            target,
            body,
            headers,
            name=connection.name,
            seconds=connection.seconds,
            most=MOST,
            tls=_tls(connection) if connection.address.startswith("https:") else None,
        )
    except outward.AddressRefused as problem:
        raise ConnectorsInvalid(problem.zh, problem.en, code=problem.code) from None
    except (OSError, http.client.HTTPException) as problem:
        zh, en = _in_words(problem, presented=bool(connection.setting("certificate")))
        raise SourceUnavailable(
            f"连不上 {connection.name}（{zh}），稍后再试。",
            f"{connection.name} cannot be reached ({en}); later again.",
        ) from None
    if len(answer.content) > MOST:
        raise SourceLied(
            f"{connection.name} 的答复超过 {MOST >> 20} MB，不采用。",
            f"{connection.name}: the answer is larger than {MOST >> 20} MB.",
        )
    return answer.status, answer.content, answer.headers.get(signing.SIGNATURE, "")


def _in_words(problem: Exception, *, presented: bool) -> tuple[str, str]:
    """Why a line was not made; ``presented``: whether this office showed a certificate of its own."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        why = problem.verify_message
        return (
            f"对方的证书通不过检查：{why}；请核对 connectors.yaml 的 ca 和 address",
            f"its certificate fails the check: {why}; see ca and address in connectors.yaml",
        )
    if isinstance(problem, ssl.SSLError) and "ALERT" in (problem.reason or "").upper():
        return (
            ("对方不接受我方的证书；请核对 connectors.yaml 的 certificate 和有效期", "it refuses our certificate; see certificate")
            if presented
            else ("对方要求我方出示证书；请在 connectors.yaml 设 certificate 和 private_key", "it asks for our certificate")
        )  # fmt: skip
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (TimeoutError, "超时"),
        (ConnectionRefusedError, "对方没有开放"),
        (ssl.SSLError, "安全连接没有建成"),
        (socket.gaierror, "找不到主机"),
    )
    return next((words for kind, words in kinds if isinstance(problem, kind)), "线路中断"), type(
        problem
    ).__name__


def _tls(connection: Connection) -> ssl.SSLContext:
    """TLS with the peer's certificate checked; with our own certificate where the agreement asks for one (双向认证)."""
    try:
        context = ssl.create_default_context(cafile=_file(connection, "ca"))
        certificate = _file(connection, "certificate")
        if certificate:
            # a locked key must not make a worker wait for somebody to type
            context.load_cert_chain(certificate, _file(connection, "private_key"), password="")
    except (OSError, ValueError) as problem:
        raise ConnectorsInvalid(
            f"{connection.name} 的证书文件不能用：{problem}。请核对 ca、certificate、private_key（私钥不加口令，与证书成对）。",
            f"{connection.name}: a certificate file cannot be used: {problem}; see ca, certificate, private_key.",
            code="certificate_unreadable",
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _file(connection: Connection, name: str) -> str | None:
    given = str(connection.setting(name))
    return str(home().root / Path(given)) if given else None
