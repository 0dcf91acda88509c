"""Real peers for the tests: a department's server over HTTP, and connection data that lead to it."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from doudi.cli.reference_source import ReferenceSource, serve
from doudi.contexts.verification import services as verification
from doudi.house.paths import home

SECRET = "a-secret-of-both-houses-2024"
AS_OF = date(2024, 11, 10)


@contextmanager
def department(
    rows: dict[str, Any], *, tls: ssl.SSLContext | None = None, **more: Any
) -> Iterator[tuple[ReferenceSource, str]]:
    """A department server on the loopback with rows by feed and ID; gives it and its address."""
    peer = ReferenceSource(rows, {"longli": SECRET}, AS_OF, **more)
    server = serve(peer, tls=tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield peer, f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}/bank"
    finally:
        server.shutdown()
        server.server_close()


def connect(secret: str = SECRET, **sources: dict[str, Any]) -> None:
    """Write the connection data of this office."""
    for entry in sources.values():
        if entry["way"] == "http":
            entry.setdefault("key", "longli")
            entry.setdefault("secret", {"sealed": "bank"})
    verification.keep_secret("bank", secret)
    path: Path = home().root / "connectors.yaml"
    path.write_text(yaml.safe_dump({"sources": sources}, allow_unicode=True), encoding="utf-8")
