"""Verification in the demonstration: sources asked for real, a report, and a request that waits for authorisations."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dateutil.relativedelta import relativedelta
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import Role, User
from doudi.contexts.verification import services as verification
from doudi.engine import identity
from doudi.engine.verification import State
from doudi.house.keyring import write_aside
from doudi.house.paths import home

_AS_OF = date(2024, 11, 15)
_LOADED_HERE = (
    "population",
    "vehicle",
    "real_estate",
    "social_insurance",
    "pension",
    "medical",
    "disability",
)
"""Sources that the demonstration asks for real, of the files it has loaded; the others go by list and reply."""
_CONNECTORS = (
    "# 演示：这些来源直接查本地已装载的部门数据；其余用查询清单。说明见 docs/how-to/connect-a-source.md\n"
    "# Demonstration: these sources are asked of the loaded department files, the others by query list.\n"
    "sources:\n" + "".join(f"  {source}: {{way: snapshot}}\n" for source in _LOADED_HERE)
)


def seed(people: dict[Role, User], household_no: str) -> None:
    """Three requests of a household: one with its report, one to compare, one that waits for authorisations."""
    window, verifier = people[Role.TOWNSHIP], people[Role.VERIFIER]
    write_aside(home().root / "connectors.yaml", _CONNECTORS.encode())
    asked: dict[str, Any] = {
        "kind": "new",
        "as_of": _AS_OF,
        "requested_by": "街道社会救助窗口（演示）",
        "declared": {},
    }
    done, to_compare = (
        chain.verify_household(household_no, purpose=purpose, by=window, **asked) for purpose in _SIGNED
    )
    _sign(done, window)
    for request in (done, to_compare):
        chain.query_sources(request.number, by=verifier)
    with TemporaryDirectory() as folder:
        for source in done.sources:
            if source in _LOADED_HERE:
                continue
            spec = chain.rules()[0].feeds[chain.verification_rules().sources[source].feed]
            path = Path(folder) / f"{source}.csv"
            path.write_text(",".join(column.label for column in spec.columns) + "\n", encoding="utf-8")
            chain.take_reply(source, path, as_of=_AS_OF, by=verifier)
    for request in (done, to_compare):
        if verification.request_of(request.number, by=verifier).state != State.COMPARING:
            # a row of a loaded file that waits for a person (same ID, other name) leaves its source open: a partial report
            verification.close_queries(request.number, by=verifier)
    chain.issue_report(done.number, by=verifier)
    chain.verify_household(household_no, purpose="marginal", by=window, **asked)


_SIGNED = ("dibao", "rigid")
"""Purposes that the household's members have signed for."""


def _sign(request: verification.VerificationRequest, window: User) -> None:
    signers = list(request.people.all())
    adult = next(person for person in signers if person.relation == "户主")
    for person in signers:
        age = relativedelta(timezone.localdate(), identity.birth_date_of(person.id_number)).years
        chain.authorise_verification(
            name=person.name,
            id_number=person.id_number,
            region_code=request.region_code,
            purposes=list(_SIGNED),
            sources=request.sources,
            signed_on=timezone.localdate(),
            way="paper",
            signer=person.name if age >= 18 else adult.name,
            guardian_relation="" if age >= 18 else "监护人",
            evidence=b"%PDF-1.4 invented authorisation of " + str(person.pk).encode(),
            evidence_name="授权书（虚构）.pdf",
            by=window,
        )
