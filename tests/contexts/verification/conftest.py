"""A verification desk: 张家 who ask for dibao, the window that signs them in, the verifier who asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from django.utils import timezone

from doudi.contexts.verification import services as verification
from doudi.contexts.verification.services import PersonAsked
from doudi.engine.packs import load_pack
from doudi.engine.verification import load_rules
from tests.small_county import LI_LI, TOWNSHIP_A, ZHANG_WEI

PACK = Path(__file__).resolve().parents[3] / "packs" / "reference"
SCAN = b"%PDF-1.4 signed and thumbprinted"


@pytest.fixture(scope="module")
def pack():
    return load_pack(PACK)


@pytest.fixture(scope="module")
def rules():
    return load_rules(PACK)


@pytest.fixture
def clerk(office: Path, make_user: Callable):
    return make_user("window", "township", TOWNSHIP_A)


@pytest.fixture
def verifier(clerk, make_user: Callable):
    return make_user("verifier1", "verifier", "520102")


@pytest.fixture
def opened(clerk, rules):
    """张家 applies for dibao: a couple, the husband declares 12,000 yuan of wages and 10,000 of savings."""

    def open_(people=None, **more):
        return verification.open_request(
            rules,
            kind="new",
            purpose="dibao",
            people=people
            or [
                PersonAsked("张伟", ZHANG_WEI, "户主", declared={"工资": 12_000_00, "存款": 10_000_00}),
                PersonAsked("李丽", LI_LI, "配偶"),
            ],
            region_code=TOWNSHIP_A,
            urban_rural="城镇",
            as_of=date(2024, 11, 15),
            requested_by="花果园街道",
            by=clerk,
            **more,
        )

    return open_


@pytest.fixture
def sign(clerk, rules):
    def sign_(name: str, number: str, **more):
        terms = {
            "purposes": ["dibao"],
            "sources": list(rules.sources),
            "signed_on": timezone.localdate(),
            "way": "paper",
            "signer": name,
            "evidence": SCAN + name.encode(),
            "evidence_name": "授权书.pdf",
            **more,
        }
        return verification.authorise(
            rules, name=name, id_number=number, region_code=TOWNSHIP_A, by=clerk, **terms
        )

    return sign_
