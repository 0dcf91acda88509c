"""How the sources do (来源台): what is open and overdue, what they told, how long they took, what failed, what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import Avg, Count, ExpressionWrapper, F, Max, Q, Sum
from django.db.models import DurationField as Duration
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, require
from doudi.contexts.verification.connectors import Connection, ConnectorsInvalid, connections
from doudi.contexts.verification.models import Exchange, Query, SourceState
from doudi.contexts.verification.returning import latest_reviews
from doudi.engine.feeds import FeedSpec
from doudi.engine.status import Status
from doudi.engine.verification import Rules

_KNOWN = (Status.KNOWN, Status.NO_RECORD)


def source_board(rules: Rules, *, by: User) -> list[dict[str, Any]]:
    """Each source with its figures over the asker's area.

    open, overdue, known, 查无, failed, unauthorised; hit rate; ``lag`` (mean time from question to answer); calls by
    connection with failures, refused answers and fee in fen; its connection and whether it rests or was suspended.
    """
    require(by, Act.VIEW_VERIFICATION)
    today = timezone.localdate()
    took = ExpressionWrapper(F("answered_at") - F("asked_at"), output_field=Duration())
    counted = (
        Query.objects.filter(request__region_code__startswith=by.region_code, place="")
        .order_by()
        .values("source")
        .annotate(
            open=Count("pk", filter=Q(status=Status.NOT_ARRIVED)),
            overdue=Count("pk", filter=Q(status=Status.NOT_ARRIVED, due_on__lt=today)),
            known=Count("pk", filter=Q(status=Status.KNOWN)),
            no_record=Count("pk", filter=Q(status=Status.NO_RECORD)),
            failed=Count("pk", filter=Q(status=Status.FAILED)),
            unauthorised=Count("pk", filter=Q(status=Status.UNAUTHORISED)),
            lag=Avg(took, filter=Q(status__in=_KNOWN)),
        )
    )
    calls = (
        Exchange.objects.filter(region_code__startswith=by.region_code)
        .order_by()
        .values("source")
        .annotate(
            calls=Count("pk"),
            broken=Count("pk", filter=~Q(problem="")),
            refused=Sum("refused"),
            fee_fen=Sum("fee_fen"),
            milliseconds=Avg("milliseconds"),
            last_call=Max("at"),
        )
    )
    by_source = {row["source"]: row for row in counted}
    called = {row["source"]: row for row in calls}
    states = {state.source: state for state in SourceState.objects.all()}
    wired, problem = _wired()
    reviews = latest_reviews(by=by)
    empty = dict.fromkeys(("open", "overdue", "known", "no_record", "failed", "unauthorised"), 0)
    none_called = dict.fromkeys(("calls", "broken", "refused", "fee_fen"), 0)
    board = []
    for source in rules.sources.values():
        figures: dict[str, Any] = {**empty, "lag": None, **by_source.get(source.code, {})}
        answered = figures["known"] + figures["no_record"]
        lag: timedelta | None = figures["lag"]
        connection = wired.get(source.code)
        board.append(
            {
                **figures,
                **none_called,
                **called.get(source.code, {}),
                "source": source,
                "sensitivity": rules.elements.grade_of(source.feed),
                "hit_rate": figures["known"] / answered if answered else None,
                "lag_hours": lag.total_seconds() / 3600 if lag is not None else None,
                "way": connection.way if connection is not None else "file",
                "allowed": connection is None or connection.way in source.ways,
                "state": states.get(source.code),
                "connection_problem": problem,
                "review": reviews.get(source.code),
            }
        )
    return board


def source_catalogue(rules: Rules, specs: Mapping[str, FeedSpec], *, by: User) -> list[dict[str, Any]]:
    """Each source as it may be asked (来源目录): owner, basis, ways, clock, period, lag, who used it, and its fields' marks.

    ``users``: the requesting units of the asker's area with their queries of a year, the most frequent first.
    """
    used: dict[str, list[tuple[str, int]]] = {}
    for row in (
        Query.objects.filter(
            request__region_code__startswith=by.region_code,
            asked_at__gte=timezone.now() - timedelta(days=366),
        )
        .order_by()
        .values_list("source", "request__requested_by")
        .annotate(asked=Count("pk"))
    ):
        used.setdefault(row[0], []).append((row[1], row[2]))
    return [
        {
            **row,
            "grade": rules.elements.grade_of(row["source"].feed),
            "spec": specs[row["source"].feed],
            "retention": rules.elements.retention_of(row["source"].feed),
            "fields": [
                (column.label, rules.elements.of_column(row["source"].feed, column.name))
                for column in specs[row["source"].feed].columns
            ],
            "users": sorted(used.get(row["source"].code, ()), key=lambda one: (-one[1], one[0]))[:10],
        }
        for row in source_board(rules, by=by)
    ]


def _wired() -> tuple[dict[str, Connection], str]:
    """The connections, or why the file of them cannot be used: the board is shown all the same."""
    try:
        return connections(), ""
    except ConnectorsInvalid as invalid:
        return {}, invalid.zh
