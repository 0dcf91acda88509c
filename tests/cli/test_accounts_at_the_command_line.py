"""Accounts at the command line: for the administrator who forgot the own password, or what the accounts are called."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path


def test_accounts_are_listed_and_a_forgotten_password_is_set_anew(run_doudi: Callable, tmp_path: Path):
    home = tmp_path / "home"
    run_doudi(home, "user", "add", "zhou", "--role", "admin", "--name", "周管理", typed="a-long-password-8")

    listed = run_doudi(home, "user", "list", "--json").json["users"]
    assert [(one["username"], one["role"], one["active"]) for one in listed] == [("zhou", "admin", True)]

    def kept() -> str:
        with closing(sqlite3.connect(home / "doudi.sqlite3")) as db:
            return db.execute("select password from accounts_user").fetchone()[0]

    before = kept()
    weak = run_doudi(home, "user", "password", "zhou", "--json", typed="123")
    assert (weak.status, weak.json["error"]["code"], kept()) == (1, "password_weak", before)
    unknown = run_doudi(home, "user", "password", "nobody", "--json", typed="another-password-9")
    assert (unknown.status, unknown.json["error"]["code"]) == (1, "user_unknown")

    assert run_doudi(home, "user", "password", "zhou", "--json", typed="another-password-9").status == 0
    assert kept() != before
