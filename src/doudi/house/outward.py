"""One call to a declared host, and nothing else: no redirect, no proxy, no other host, a bounded answer (出站调用).

The host's addresses are looked up once, judged, and the judged one is called: a name that points elsewhere a moment later
reaches nobody. Link-local, multicast and unspecified addresses are never called, so that nobody can make this office ask
a machine for its own metadata (SSRF); government networks are private ones, so those are.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from doudi.engine.errors import DoudiError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefused(DoudiError):
    """A host that points to an address this office does not call."""

    code = "address_refused"


@dataclass(frozen=True)
class Answer:
    """What came back; ``content`` holds one byte more than ``most`` where it was longer."""

    status: int
    content: bytes
    headers: Mapping[str, str]


def judged_address(name: str, host: str, port: int, *, loopback: bool = True) -> Address:
    """The address of a host that may be called, or :class:`AddressRefused` where any of its addresses may not.

    ``loopback`` says whether this machine's own services count as callable. Raises :class:`OSError` for an unknown host.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    for address in addresses:
        plain = getattr(address, "ipv4_mapped", None) or address
        if (
            plain.is_link_local
            or plain.is_multicast
            or plain.is_unspecified
            or (plain.is_loopback and not loopback)
        ):
            raise AddressRefused(
                f"{name} 的主机 {host} 指向 {address}，不能连接。",
                f"{name}: host {host} points to {address}, which is not called.",
            )
    return addresses[0]


def exchange(
    address: str,
    method: str,
    target: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    name: str,
    seconds: float,
    most: int,
    tls: ssl.SSLContext | None = None,
    loopback: bool = True,
) -> Answer:
    """Send one request to the host of ``address``; ``target`` is the path in the request line.

    Raises :class:`AddressRefused`, :class:`OSError` or :class:`http.client.HTTPException`.
    """
    parts = urlsplit(address)
    host = parts.hostname or ""
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    line = _Line(
        host, port, judged_address(name, host, port, loopback=loopback), seconds, tls if secure else None
    )
    try:
        _send(line, method, target, body, headers)
        answer = line.getresponse()
        return Answer(answer.status, answer.read(most + 1), answer.headers)
    finally:
        line.close()


def _send(
    line: http.client.HTTPConnection, method: str, target: str, body: bytes, headers: Mapping[str, str]
) -> None:
    """Send a request; where the peer has hung up on our certificate, what it said of it stands in the way of the answer."""
    try:
        line.request(method, target, body=body or None, headers=dict(headers))
    except (ssl.SSLEOFError, ConnectionError):
        if isinstance(line.sock, ssl.SSLSocket):
            line.sock.recv(1)  # raises the peer's alert
        raise


class _Line(http.client.HTTPConnection):
    """A connection to the judged address under the host's own name, in TLS where a context is given."""

    def __init__(
        self, host: str, port: int, address: Address, seconds: float, tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(host, port, timeout=seconds)
        self._judged, self._tls = str(address), tls
        if tls is not None:
            self.default_port = 443

    def connect(self) -> None:
        self.sock = socket.create_connection((self._judged, self.port), self.timeout)
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)
