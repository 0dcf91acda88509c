"""Steps of an application that many tests take: papers, the check of the economy with its report, a visit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from django.utils import timezone

from doudi import chain
from doudi.contexts.assistance import services as assistance
from doudi.contexts.verification import services as verification
from tests.small_county import write_csv

SCAN = b"%PDF-1.4 a paper"
PICTURE = b"\xff\xd8\xff a picture of the board"
REASON = "失去劳动能力, 没有收入来源"


def applied(
    by: Any, *, kind: str = "DB", name: str = "", id_number: str = "", household_no: str = "", **more: Any
) -> assistance.Application:
    """An application at the window with all its papers seen."""
    found = chain.start_application(
        kind=kind,
        applicant=assistance.Applicant(name, id_number, "13900000000"),
        reason=REASON,
        household_no=household_no,
        token=f"{kind}-{id_number}-{len(more)}-{timezone.now().timestamp()}",
        by=by,
        **more,
    )
    for paper in chain.procedures().of(kind, found.region_code).papers:
        chain.take_paper(found.number, paper.code, by=by, seen_original=True)
    return found


def verified(
    number: str,
    *,
    by: Any,
    verifier: Any,
    folder: Path,
    rows: Mapping[str, list[dict[str, str]]] | None = None,
) -> verification.Report:
    """The household's economy is checked and the report issued; a source without ``rows`` has no record."""
    request = chain.verify_application(
        number, declared={}, as_of=date(2024, 11, 15), requested_by="花果园街道", by=by
    )
    rules, specs = chain.verification_rules(), chain.rules()[0].feeds
    for person in request.people.all():
        chain.authorise_verification(
            name=person.name,
            id_number=person.id_number,
            region_code=request.region_code,
            purposes=[request.purpose],
            sources=request.sources,
            signed_on=timezone.localdate(),
            way="paper",
            signer=person.name,
            evidence=SCAN + person.name.encode(),
            evidence_name="授权书.pdf",
            by=by,
        )
    verification.confirm_authorised(request.number, by=by)
    chain.query_sources(request.number, by=verifier)
    for source in request.sources:
        columns = specs[rules.sources[source].feed].columns
        body = [[row.get(c.name, "") for c in columns] for row in (rows or {}).get(source, [])]
        path = write_csv(folder / f"{source}.csv", [c.label for c in columns], body)
        chain.take_reply(source, path, as_of=date(2024, 11, 10), by=verifier)
    return chain.issue_report(request.number, by=verifier)


def visited(number: str, *, by: Any, others: tuple[str, ...] = ("村干部周某",), **more: Any) -> Any:
    """Two investigators went there today."""
    return chain.record_application_visit(
        number,
        visited_on=timezone.localdate(),
        investigators=others,
        findings="与申报一致, 房屋两间, 无大额财产",
        by=by,
        **more,
    )
