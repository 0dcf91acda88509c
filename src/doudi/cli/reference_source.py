"""A department's server as the interface describes it (参考来源): rows of CSV files, signatures checked, faults on demand.

For integrators to try against and for tests as a real peer over the network. It knows no Django and no database; it
answers what its files say, each batch once, and can be told to be slow, to fail, or to lie.
"""

from __future__ import annotations

import json
import secrets
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from doudi.engine import identity
from doudi.engine.csvfile import CsvFile
from doudi.engine.feeds import FeedSpec
from doudi.house import signing

DESCRIPTION = Path(__file__).resolve().parents[1] / "house" / "source-interface.json"
FAULTS = ("slow", "fail", "cut", "lie")
LIES = ("stranger", "twice", "other_person", "contradiction", "unsigned", "other_batch", "garbage", "missing")
_MOST_BODY = 4 << 20
_REMEMBERED = 100_000


def load_rows(folder: Path, specs: Mapping[str, FeedSpec]) -> dict[str, dict[str, list[dict[str, str]]]]:
    """Feed → ID → rows (column name → text) of the CSV files ``FEED.csv`` in a folder; a row without a valid ID is left out."""
    found: dict[str, dict[str, list[dict[str, str]]]] = {}
    for path in sorted(folder.glob("*.csv")):
        spec = specs.get(path.stem)
        if spec is None:
            continue
        file = CsvFile(path, [spec.column("id_number").label])
        columns = {column.name: file.text(column.label) for column in spec.columns}
        by_id = found.setdefault(spec.name, {})
        for place in range(file.rows):
            row = {name: cells[place] for name, cells in columns.items() if cells[place] != ""}
            number = identity.mend_id(row.get("id_number", ""))
            if number is not None:
                by_id.setdefault(str(number), []).append(row)
    return found


@dataclass
class ReferenceSource:
    """What the server answers from; ``faults`` maps a fault of :data:`FAULTS` to how often it happens (0 to 1)."""

    rows: Mapping[str, Mapping[str, list[dict[str, str]]]]
    keys: Mapping[str, str]
    """Key → secret of each house that may ask."""
    as_of: date
    faults: Mapping[str, float] = field(default_factory=dict)
    slow_seconds: float = 0.5
    dice: Callable[[], float] = field(default_factory=lambda: secrets.SystemRandom().random)
    asked: int = 0
    """Requests that came, counted before any fault."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._nonces: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._answers: dict[str, tuple[str, bytes]] = {}

    def handle(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes, dict[str, str]] | None:
        """Status, body and headers of an answer; None: the line is cut without one."""
        if method == "GET" and path.endswith("/openapi.json"):
            return 200, DESCRIPTION.read_bytes(), {}
        if method != "POST" or not path.endswith("/v1/queries"):
            return _refusal(404, "没有这个地址", "no such address")
        with self._lock:
            self.asked += 1
        key = headers.get(signing.KEY, "")
        secret = self.keys.get(key)
        try:
            if secret is None:
                raise signing.SignatureRefused("没有这个账号。", "No such key.", code="key_unknown")
            nonce = signing.check(method, path, body, headers, secret=secret)
            self._once(key, nonce)
        except signing.SignatureRefused as problem:
            return _refusal(401, problem.zh, problem.en)
        fault = self._fault()
        if fault == "slow":
            time.sleep(self.slow_seconds)
        if fault == "fail":
            return _refusal(503, "来源系统维护中", "the source is being maintained")
        answer = self._answer(body)
        if answer is None:
            return _refusal(400, "请求读不懂", "the request cannot be read")
        if fault == "cut":
            return None
        lie = LIES[int(self.dice() * len(LIES))] if fault == "lie" else ""
        content = json.dumps(_lied(answer, lie), ensure_ascii=False).encode()
        content = b'{"batch": ' if lie == "garbage" else content
        algorithm = headers[signing.ALGORITHM]
        signature = signing.sign_answer(content, nonce=nonce, secret=secret, algorithm=algorithm)
        return 200, content, {signing.SIGNATURE: "0" * 64 if lie == "unsigned" else signature}

    def _once(self, key: str, nonce: str) -> None:
        """Let a nonce through once; it is remembered for as long as its signature is valid."""
        now = time.time()
        with self._lock:
            while self._nonces and next(iter(self._nonces.values())) < now - 2 * signing.WINDOW:
                self._nonces.popitem(last=False)
            if (key, nonce) in self._nonces or len(self._nonces) >= _REMEMBERED:
                raise signing.SignatureRefused(
                    "这条请求已经来过。", "This request has come before.", code="signature_replayed"
                )
            self._nonces[(key, nonce)] = now

    def _fault(self) -> str:
        thrown = self.dice()
        for name in FAULTS:
            thrown -= self.faults.get(name, 0.0)
            if thrown < 0:
                return name
        return ""

    def _answer(self, body: bytes) -> dict[str, Any] | None:
        """The answer to a batch, the same one however often the batch comes."""
        try:
            asked = json.loads(body)
            batch, source = str(asked["batch"]), str(asked["source"])
            queries = [(str(query["query"]), str(query["id_number"])) for query in asked["queries"]]
        except (ValueError, KeyError, TypeError):
            return None
        with self._lock:
            kept = self._answers.get(batch)
            if kept is not None:
                return dict(json.loads(kept[1]))
        known = self.rows.get(source, {})
        answers = [
            {"query": query, "result": "found", "rows": known[number]}
            if number in known
            else {"query": query, "result": "none", "rows": []}
            for query, number in queries
        ]
        answer = {"batch": batch, "as_of": self.as_of.isoformat(), "answers": answers}
        with self._lock:
            self._answers[batch] = (source, json.dumps(answer).encode())
        return answer


def _lied(answer: dict[str, Any], lie: str) -> dict[str, Any]:
    """An answer that must not be used, or not wholly."""
    answers = [dict(one) for one in answer["answers"]]
    if lie == "other_batch":
        return {**answer, "batch": "PC-of-somebody-else"}
    if lie == "missing":
        return {**answer, "answers": answers[1:]}
    if lie == "stranger":
        answers.append({"query": "Q0", "result": "none", "rows": []})
    elif lie == "twice":
        answers.append(answers[0])
    elif lie == "contradiction":
        answers[0] = {**answers[0], "result": "found", "rows": []}
    elif lie == "other_person":
        for one in answers:
            one["rows"] = [{**row, "id_number": "11010519491231002X"} for row in one["rows"]]
    return {**answer, "answers": answers}


def _refusal(status: int, zh: str, en: str) -> tuple[int, bytes, dict[str, str]]:
    return status, json.dumps({"zh": zh, "en": en}, ensure_ascii=False).encode(), {}


def serve(
    source: ReferenceSource, *, port: int = 0, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> ThreadingHTTPServer:
    """A listening server, over HTTPS with ``tls``; the caller runs ``serve_forever``. Port 0 takes a free one."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def _do(self) -> None:
            length = self.headers.get("Content-Length", "0")
            if not length.isascii() or not length.isdigit() or int(length) > _MOST_BODY:
                answer = _refusal(413, "请求太大", "the request is too large")
            else:
                body = self.rfile.read(int(length))
                told = source.handle(
                    self.command,
                    self.path,
                    {name: self.headers.get(name, "") for name in signing.HEADERS},
                    body,
                )
                if told is None:
                    self.close_connection = True
                    return
                answer = told
            status, content, more = answer
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            for name, value in more.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _do

        def handle(self) -> None:
            with suppress(ssl.SSLError, ConnectionError):  # who shows no certificate gets no answer
                super().handle()

        def log_message(self, *_arguments: Any) -> None:
            """Nothing of a request, which names people, goes to a log."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    server = Server((host, port), Handler)
    if tls is not None:
        # the handshake is made by each line's own thread: a slow one keeps nobody else waiting
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


def mutual_tls(certificate: Path, private_key: Path, clients: Path) -> ssl.SSLContext:
    """TLS that lets nobody in without a certificate signed by ``clients`` (双向认证)."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(clients))
    context.load_cert_chain(certificate, private_key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
