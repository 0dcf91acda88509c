"""Another doudi, in its own process with its own state folder: what its people do, told on the command line of this file.

``setup KEY SECRET`` makes the accounts and prints the API key; ``work NUMBER SOURCE FILE`` lets its verifier
ask and take a department's reply in.
"""

from __future__ import annotations

import json
import sys
from datetime import date, timedelta
from pathlib import Path


def main(arguments: list[str]) -> None:
    from doudi.cli.shell import open_office

    open_office(quiet=True)
    {"setup": setup, "work": work}[arguments[0]](*arguments[1:])


def setup(key: str, secret: str) -> None:
    """Accounts of another county, a key for the asking house, and who that house is."""
    from django.utils import timezone

    from doudi.contexts.accounts import services as accounts
    from doudi.contexts.accounts.services import Act, Role, create_user, system_user
    from doudi.contexts.verification import services as verification
    from doudi.house.paths import home

    for name, role in (("peer-a", Role.COUNTY), ("their-verifier", Role.VERIFIER)):
        create_user(
            username=name, password="a-long-enough-password-1", display_name=name, role=role, region_code="610102",
            by=system_user(),
        )  # fmt: skip
    verification.keep_secret("peer-a", secret)
    (home().root / "connectors.yaml").write_text(
        "peers:\n  gz-a: {label: 甲县核对中心, regions: ['520102'], address: 'https://a.example/', "
        f"key: {key}, secret: {{sealed: peer-a}}}}\n",
        encoding="utf-8",
    )
    made = accounts.create_api_key(
        accounts.account("peer-a"), label="甲县核对中心", scopes=[Act.TAKE_ENTRUSTED],
        expires_at=timezone.now() + timedelta(days=30), by=accounts.account("peer-a"),
    )  # fmt: skip
    print(json.dumps({"token": made.text}))


def work(number: str, source: str, file: str) -> None:
    """Their verifier asks, and a department's workbook comes back; ``-``: none does."""
    from doudi import chain
    from doudi.contexts.accounts.services import account

    verifier = account("their-verifier")
    counts = chain.query_sources(number, by=verifier)
    if file == "-":
        print(json.dumps(counts))
        return
    outcome = chain.take_reply(source, Path(file), as_of=date(2024, 11, 10), by=verifier)
    print(json.dumps({**counts, "answered": outcome.answered}))


if __name__ == "__main__":
    main(sys.argv[1:])
