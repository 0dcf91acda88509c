"""One judged call: strange addresses are never reached, a name that moves between look and call neither, TLS is checked."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from doudi.house import outward


class Echo(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("X-Host", self.headers["Host"])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on the tests' own output."""


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    made = HTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()


def call(address: str, **more: Any) -> outward.Answer:
    return outward.exchange(
        address, "POST", "/x", b"12345", {}, **{"name": "对方", "seconds": 5, "most": 3, **more}
    )


def test_an_answer_is_bounded_and_the_host_keeps_its_name(server: HTTPServer) -> None:
    said = call(f"http://localhost:{server.server_port}/")
    assert (said.status, said.content) == (200, b"1234"), "one byte more tells that it was longer"
    assert said.headers["x-host"] == f"localhost:{server.server_port}"


@pytest.mark.parametrize(
    "to", ["169.254.169.254", "0.0.0.0", "224.0.0.1", "::ffff:169.254.169.254", "fe80::1"]
)
def test_strange_addresses_are_not_called(to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    told = [(socket.AF_INET, 1, 6, "", ("10.1.2.3", 80)), (family, 1, 6, "", (to, 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: told)
    with pytest.raises(outward.AddressRefused):
        call("http://hospital.example/")


def test_this_machine_is_called_only_where_the_caller_says_so(server: HTTPServer) -> None:
    with pytest.raises(outward.AddressRefused):
        call(f"http://127.0.0.1:{server.server_port}/", loopback=False)


def test_a_name_that_moves_after_the_look_reaches_nobody_else(
    server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    real = socket.getaddrinfo

    def moving(host: str, *rest: Any, **more: Any) -> Any:
        looked.append(host)
        return real("127.0.0.1" if looked.count("hook.example") == 1 else "169.254.169.254", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", moving)
    said = outward.exchange(
        f"http://hook.example:{server.server_port}/", "POST", "/", b"1", {}, name="对方", seconds=5, most=9
    )
    assert said.status == 200 and looked.count("hook.example") == 1


def test_a_certificate_of_somebody_else_is_refused(server: HTTPServer, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    both = tmp_path / "both.pem"
    both.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    address = f"https://127.0.0.1:{server.server_port}/"

    assert call(address, tls=ssl.create_default_context(cafile=str(both))).status == 200
    with pytest.raises(ssl.SSLError):
        call(address, tls=ssl.create_default_context())
