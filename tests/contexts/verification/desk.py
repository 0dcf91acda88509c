"""What the tests of a verification share: replies as files, all sources answered, a request that was asked."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from doudi.contexts.verification import services as verification
from tests.small_county import LI_LI, ZHANG_WEI, write_csv


def feed_file(pack, folder: Path, feed: str, rows: list[dict[str, str]]) -> Path:
    columns = pack.feeds[feed].columns
    body = [[row.get(column.name, "") for column in columns] for row in rows]
    return write_csv(folder / f"{feed}.csv", [column.label for column in columns], body)


def reply(pack, rules, folder, source, rows, verifier):
    return verification.take_reply_file(
        source,
        feed_file(pack, folder, rules.sources[source].feed, rows),
        rules=rules,
        specs=pack.feeds,
        as_of=date(2024, 11, 10),
        by=verifier,
    )


def answer_all(pack, rules, folder, verifier, *, rows=None, besides=()):
    for source in rules.sources:
        if source not in besides:
            reply(pack, rules, folder, source, (rows or {}).get(source, []), verifier)


def started(opened, sign, rules, verifier, clerk, **more):
    request = opened(**more)
    verification.accept_request(request.number, rules=rules, by=clerk)
    sign("张伟", ZHANG_WEI)
    sign("李丽", LI_LI)
    verification.confirm_authorised(request.number, by=clerk)
    verification.start_queries(request.number, rules=rules, by=verifier)
    request.refresh_from_db()
    return request
