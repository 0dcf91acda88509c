"""The audit of the lock and of the repository finds what it looks for, and finds nothing here."""

from __future__ import annotations

import secrets

import pytest

from tools.dependency_audit import ROOT, lock_problems, repository_problems, secrets_in

HASH = "--hash=sha256:" + "0" * 64


def test_the_lock_is_whole():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")

    assert text.count("--hash=sha256:") > 100
    assert lock_problems(text) == []


def test_no_file_under_version_control_holds_a_secret():
    assert repository_problems() == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("django==5.2.1 \\\n    " + HASH, "known hole"),
        ("django==5.2.19", "no hash"),
        ("thing @ git+https://example.org/thing", "not an exact version"),
        ("thing>=1 " + HASH, "not an exact version"),
        ("-e ../thing", "not an exact version"),
    ],
)
def test_a_bad_line_is_found(line, said):
    good = f"jinja2==3.1.6 \\\n    {HASH}\n"

    assert len(lock_problems(good + line + "\n" + good)) == 1
    assert said in lock_problems(line)[0]


def test_secrets_are_found():
    key = f"doudi_{secrets.token_hex(5)}_{secrets.token_urlsafe(32)}"
    told = {
        "own API key": key,
        "AWS key": "AKIA" + "ABCDEFGHIJKLMNOP",
        "GitHub token": "ghp" + "_" + "a" * 36,
        "private key": "-----BEGIN " + "PRIVATE KEY-----\n" + "A" * 64,
        "address with a password": "postgresql://doudi:" + "hunter2hunter2@db/doudi",
        "own ring": '"audit": "' + "A" * 43 + '="',
    }
    for kind, text in told.items():
        assert kind in secrets_in(f"x = {text}"), kind
    assert (
        secrets_in("postgresql://postgres@127.0.0.1:5432/test and postgresql://doudi:密码@127.0.0.1/doudi")
        == []
    )
