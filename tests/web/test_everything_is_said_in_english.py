"""Chinese first, English by the switch: no word of the workbench is left without its English."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import translation

from doudi import chain
from doudi.contexts.accounts.services import ACT_LABELS, Role
from doudi.contexts.assistance.services import Account, LedgerEntry, Referral
from doudi.contexts.charity import giving
from doudi.contexts.monitoring.services import Doubt, StopProposal, WarningCase
from doudi.contexts.registry.services import FeedLoad
from doudi.contexts.verification.services import Authorisation
from doudi.engine.status import Status
from doudi.engine.verification import State
from doudi.web.translations import missing, written

TEMPLATES = Path(__file__).parents[2] / "src" / "doudi" / "web" / "templates"
CHINESE = re.compile(r"[\u3400-\u9fff]")
CHARITY_WORDS = (
    giving.Account, giving.Allocation.Status, giving.Campaign.Status, giving.Campaign.Way, giving.DisclosureDuty.Part,
    giving.Donation.DonorKind, giving.Donation.Way, giving.Fund.Kind, giving.FundEntry.Kind, giving.MoveRequest.Basis,
    giving.Outcome.Result,
)  # fmt: skip
BOTH_LANGUAGES = {
    "400.html",
    "403.html",
    "403_csrf.html",
    "404.html",
    "500.html",
    "_both.html",
    "switches.html",
}


def test_every_marked_word_has_its_english() -> None:
    assert len(list(written())) > 300
    assert missing() == []


def test_no_template_holds_unmarked_chinese() -> None:
    bare = {}
    for path in TEMPLATES.rglob("*.html"):
        if path.name in BOTH_LANGUAGES:
            continue
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"{%\s*blocktrans.*?endblocktrans\s*%}|{%.*?%}|{{.*?}}", "", text, flags=re.S)
        if found := CHINESE.findall(text):
            bare[path.name] = "".join(found)

    assert bare == {}


def words_of_data() -> list[str]:
    pack, handling = chain.rules()
    words = [str(label) for model in (WarningCase.Status, Referral.Status, Referral.Result, FeedLoad.Status)
             for label in model.labels]  # fmt: skip
    words += [str(label) for model in (Doubt.Status, StopProposal.Status, StopProposal.Grade, Account, LedgerEntry.Kind)
              for label in model.labels]  # fmt: skip
    words += [str(label) for model in CHARITY_WORDS for label in model.labels]
    words += [role.label for role in Role] + list(ACT_LABELS.values()) + [status.label for status in Status]
    words += [part.name for part in (*pack.indicators.values(), *pack.measures.values(), *pack.categories)]
    words += [text for spec in pack.feeds.values() for text in (spec.label, spec.supplier)]
    words += [text for pair in handling.departments.items() for text in pair]
    words += [state.label for state in State] + list(Authorisation.Way.labels)
    words += [
        "一致",
        "轻微",
        "一般",
        "重大",
        "未申报",
        "待核",
        "符合",
        "不符合",
        "需入户核实",
        "低",
        "中",
        "高",
    ]
    words += [name for category in pack.categories for name in category.registered_as]
    return words


@pytest.mark.django_db
def test_codes_of_the_house_and_the_reference_pack_have_their_english() -> None:
    with translation.override("en"):
        untold = [word for word in words_of_data() if CHINESE.search(translation.gettext(word))]

    assert untold == []


@pytest.mark.parametrize("who", ["county", "township", "director", "auditor", "admin", "department"])
def test_an_english_page_shows_chinese_only_where_it_is_marked_as_such(county, browser, who: str) -> None:
    desk = browser(getattr(county, who), "en")
    pages = [
        desk.get(reverse(name))
        for name in ("home", "warnings", "inbox", "loads", "dashboard", "audit", "users")
    ]
    pages.append(desk.get(reverse("warning", args=["YJ20241115-H002"])))

    for page in pages:
        text = page.content.decode()
        assert '<html lang="en"' in text
        text = re.sub(r'<script.*?</script>|<[^>]*lang="zh-Hans"[^>]*>[^<]*<', "<", text, flags=re.S)
        text = re.sub(
            r'<div class="choices">.*?</div>|<option.*?</option>|<span class="who">.*?</span>', "", text
        )
        left = [line.strip() for line in re.sub(r"<[^>]*>", "\n", text).split("\n") if CHINESE.search(line)]
        # names of places and people are what they are
        places = re.compile(r"区|县|街道|乡|镇|社区|村|虚构|政策包|参考")
        assert [line for line in left if not places.search(line)] == [], page.request["PATH_INFO"]
