"""What goes back to a department (数据回流): its own rows that could not be read, marked in its own layout, and the figures.

The workbook is kept sealed until it is taken once, or the source's next reply comes: its rows may be about people nobody
asked for.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from django.db import transaction

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.verification.models import ReplyReview
from doudi.contexts.verification.requests import StepRefused
from doudi.engine import feeds
from doudi.engine.feeds import FeedSpec, ParsedFile
from doudi.house.attachments import declare_single, keep_single, open_single, remove_single

_PURPOSE = declare_single("verification.return")


def review_reply(
    source: str,
    parsed: ParsedFile,
    original: Path | bytes,
    *,
    spec: FeedSpec,
    as_of: date,
    today: date,
    strangers: int,
    file_name: str,
    by: User,
) -> ReplyReview:
    """Write down what was wrong with a reply file, with the workbook to send back; the caller holds the turn."""
    for older in ReplyReview.objects.filter(source=source).exclude(workbook=""):
        remove_single(older.workbook)
        ReplyReview.objects.filter(pk=older.pk).update(workbook="")
    workbook = ""
    if parsed.quarantined:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "return.xlsx"
            feeds.write_quarantine(parsed, original, path)
            workbook = keep_single(path.read_bytes(), purpose=_PURPOSE)
    age = (today - as_of).days
    return ReplyReview.objects.create(
        source=source,
        region_code=by.region_code,
        received_by=by.username,
        file_name=file_name[-255:],
        file_hash=parsed.file_hash,
        source_as_of=as_of,
        read=parsed.read,
        bad=parsed.quarantined,
        repeated=parsed.duplicates,
        strangers=strangers,
        reasons=dict(parsed.reasons),
        overdue_days=max(age - spec.period_days, 0) if spec.period_days else 0,
        workbook=workbook,
    )


def latest_reviews(*, by: User) -> dict[str, ReplyReview]:
    """The newest review of each source in the account's area."""
    require(by, Act.VIEW_VERIFICATION)
    newest: dict[str, ReplyReview] = {}
    for review in ReplyReview.objects.filter(region_code__startswith=by.region_code).order_by("pk"):
        newest[review.source] = review
    return newest


@transaction.atomic
def take_return(source: str, *, by: User) -> bytes:
    """The workbook of a source's bad rows, marked, to send back to the department (退回单); it is given once."""
    require(by, Act.QUERY_SOURCES)
    take_turn()
    review = latest_reviews(by=by).get(source)
    if review is None or not review.workbook:
        raise StepRefused(
            "没有要退回的坏行，或退回单已经取走。", "There are no rows to send back, or they were taken already.",
            code="nothing_to_return",
        )  # fmt: skip
    content = open_single(review.workbook, purpose=_PURPOSE)
    name = review.workbook
    ReplyReview.objects.filter(pk=review.pk).update(workbook="")
    record(by=by, act="return_rows", subject=f"source:{source}", region_code=by.region_code,
           detail={"bad": review.bad, "file": review.file_hash})  # fmt: skip
    transaction.on_commit(lambda: remove_single(name))
    return content
