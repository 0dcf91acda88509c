"""A government single sign-on to test against: a real OpenID Connect server in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests


@contextmanager
def provider_of(*options: str) -> Iterator[str]:
    """A provider as a process on loopback; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "oidc_provider_mock",
            "--port",
            str(port),
            "--require-nonce",
            "true",
            *options,
        ],
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    at = f"http://127.0.0.1:{port}"
    try:
        for _try in range(200):
            try:
                requests.get(f"{at}/.well-known/openid-configuration", timeout=5)
                break
            except requests.ConnectionError:
                assert running.poll() is None, "the provider did not start"
                time.sleep(0.1)
        yield at
    finally:
        running.terminate()
        running.wait(10)


def use(settings: Any, at: str) -> None:
    """Set the office up for the provider at ``at``."""
    settings.OIDC_ISSUER = at
    settings.OIDC_OP_AUTHORIZATION_ENDPOINT = f"{at}/oauth2/authorize"
    settings.OIDC_OP_TOKEN_ENDPOINT = f"{at}/oauth2/token"
    settings.OIDC_OP_JWKS_ENDPOINT = f"{at}/jwks"
    settings.OIDC_OP_USER_ENDPOINT = f"{at}/userinfo"
    settings.OIDC_RP_CLIENT_ID, settings.OIDC_RP_CLIENT_SECRET = "doudi", "a secret of the house"
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"] | {"form-action": ["'self'", at]}
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": directives}
