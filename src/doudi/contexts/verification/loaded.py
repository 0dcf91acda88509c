"""A request put to every source whose files are loaded here (本地快照), in one go: nothing goes out, nobody is waited for.

One transaction holds the gate, the look-ups, the replies and the audit entry; what the files cannot answer stays open for the
ordinary road, with the reason.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.verification.asking import reply_of
from doudi.contexts.verification.authorising import covering
from doudi.contexts.verification.connecting import held_back
from doudi.contexts.verification.connectors import Asked, Connection, answers_of, connections
from doudi.contexts.verification.models import Exchange, Query, Reply, SourceState
from doudi.contexts.verification.requests import note, request_of, settle
from doudi.engine.feeds import FeedSpec
from doudi.engine.status import Status
from doudi.engine.verification import Rules


@transaction.atomic
def ask_loaded(number: str, *, rules: Rules, specs: Mapping[str, FeedSpec], by: User) -> dict[str, int]:
    """Answer a request's open queries from loaded files, for the sources that are connected so; how many by result.

    Every query passes the gate here; what no authorisation covers any more is 未授权. Asked again it answers nothing twice.
    """
    counts = {"known": 0, "no_record": 0, "left_open": 0, "unauthorised": 0}
    connected = wired(rules)
    if not connected:
        return counts
    require(by, Act.QUERY_SOURCES)
    take_turn()
    request = request_of(number, by=by)
    require(by, Act.QUERY_SOURCES, region_code=request.region_code)
    now, today = timezone.now(), timezone.localdate()
    states = {state.source: state for state in SourceState.objects.filter(source__in=connected)}
    ready = [
        code
        for code, connection in connected.items()
        if not held_back(states.get(code) or SourceState(source=code), connection, now)
    ]
    # a source that answered through a list is left to its list; one that another account has claimed is left to it
    waiting = list(
        request.queries.filter(Q(claimed_until=None) | Q(claimed_until__lt=now), source__in=ready, place="",
                               status=Status.NOT_ARRIVED)
        .exclude(via="文件").order_by("pk")
    )  # fmt: skip
    people = {person.pk: person for person in request.people.all()}
    for query in waiting:
        query.person, query.request = people[query.person_id], request
    given = covering(list(people.values()), purpose=request.purpose, on=today)
    batch = f"PC{today:%Y%m%d}-{secrets.token_hex(8)}"
    asked: dict[str, list[Asked]] = {}
    by_key: dict[str, Query] = {}
    refused: list[int] = []
    for query in waiting:
        paper = given(query.person, query.source)
        if paper is None:
            refused.append(query.pk)
            continue
        by_key[f"Q{query.pk}"] = query
        asked.setdefault(query.source, []).append(
            Asked(
                f"Q{query.pk}", query.person.name, query.person.id_number, bytes(query.person.id_blind), request.purpose,
                paper.number, paper.valid_to,
            )
        )  # fmt: skip
    if not asked and not refused:
        return counts
    begun = time.monotonic()
    answered = answers_of(
        {code: (specs[rules.sources[code].feed], questions) for code, questions in asked.items()}, specs
    )
    took = int((time.monotonic() - begun) * 1000)
    replies: list[Reply] = []
    ended: dict[Status, list[int]] = {Status.KNOWN: [], Status.NO_RECORD: []}
    exchanges: list[Exchange] = []
    for code, found in answered.items():
        told = dict.fromkeys(("known", "no_record", "pending"), 0)
        for key, one in found.told.items():
            query = by_key[key]
            if one.status not in ended:
                told["pending"] += 1
                Query.objects.filter(pk=query.pk).update(problem=one.why[:300])
                continue
            ended[one.status].append(query.pk)
            told[str(one.status)] += 1
            replies.append(
                reply_of(
                    query, one.rows, spec=specs[rules.sources[code].feed], as_of=found.as_of, by=by,
                    file_name=f"snapshot:{batch}",
                )
            )  # fmt: skip
        counts["known"] += told["known"]
        counts["no_record"] += told["no_record"]
        exchanges.append(
            Exchange(
                source=code, way="snapshot", batch=batch, region_code=by.region_code, asked_by=by.username,
                milliseconds=took, asked=len(found.told), fee_fen=0, **told,
            )
        )  # fmt: skip
    Reply.objects.bulk_create(replies)
    for status, keys in ended.items():
        Query.objects.filter(pk__in=keys, status=Status.NOT_ARRIVED).update(
            status=status, answered_at=now, problem="", batch=batch, via="snapshot"
        )
    Query.objects.filter(pk__in=refused, status=Status.NOT_ARRIVED).update(
        status=Status.UNAUTHORISED, problem="授权已失效，查询停止"
    )
    Exchange.objects.bulk_create(exchanges)
    counts["unauthorised"] = len(refused)
    counts["left_open"] = len(by_key) - counts["known"] - counts["no_record"]
    note(
        request,
        by=by,
        kind="reply",
        text=f"本地快照答复：查得 {counts['known']} 项，查无 {counts['no_record']} 项，未答复 {counts['left_open']} 项",
    )
    record(by=by, act="ask_source", subject=f"verification:{number}", region_code=request.region_code,
           detail={"batch": batch, "way": "snapshot", "sources": sorted(asked), **counts})  # fmt: skip
    settle(request, by=by)
    return counts


def wired(rules: Rules) -> dict[str, Connection]:
    """The sources that are connected to loaded files, where the pack allows it."""
    found: dict[str, Any] = connections()
    return {
        code: connection
        for code, connection in found.items()
        if connection.way == "snapshot" and code in rules.sources and "snapshot" in rules.sources[code].ways
    }
