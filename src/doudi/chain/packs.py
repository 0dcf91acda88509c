"""The pack in force and what it declares beside its rules (政策包), read once for each content."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.benefits import load_benefits
from doudi.engine.errors import DoudiError
from doudi.engine.packs import Pack, load_pack
from doudi.engine.packs.civil import DisabilityFile, disability_file, tail_months
from doudi.engine.packs.doubting import DoubtRules, load_doubts
from doudi.engine.packs.duplicates import DuplicateRules, load_duplicate_rules
from doudi.engine.packs.food_safety import FoodSafety, load_food_safety
from doudi.engine.packs.giving import GivingRules, load_giving
from doudi.engine.packs.handling import Handling, load_handling
from doudi.engine.packs.linking import LinkageRules, load_linkage
from doudi.engine.packs.meals import NetworkRules, PriceRules, load_network, load_prices
from doudi.engine.packs.outreach import Outreach, load_outreach
from doudi.engine.packs.privacy import PrivacyRules, load_privacy
from doudi.engine.packs.procedures import Procedures, load_procedures
from doudi.engine.packs.siting import SitingRules, load_siting_rules
from doudi.engine.packs.upward import UpwardRules, load_upward
from doudi.engine.packs.volunteers import VolunteerRules, load_volunteer_rules
from doudi.engine.verification import Rules as VerificationRules
from doudi.engine.verification import load_rules as load_verification_rules


@lru_cache(maxsize=4)
def _pack(folder: Path, base: Path) -> tuple[Pack, Handling]:
    return load_pack(folder, roots=(base.parent,)), load_handling(base)


def rules() -> tuple[Pack, Handling]:
    """The policy pack with what was approved over it, and its handling rules (政策包); read once for each content."""
    return _pack(monitoring.pack_in_force(settings.PACK), settings.PACK)


def rules_now() -> tuple[Pack, Handling]:
    """As :func:`rules`, with what was approved a moment ago in another process too."""
    return _pack(monitoring.pack_in_force(settings.PACK, fresh=True), settings.PACK)


def keep(pack: Pack) -> None:
    """Keep the layers of the pack in force, the approved one among them, for a later replay."""
    folder = monitoring.pack_in_force(settings.PACK)
    if _pack(folder, settings.PACK)[0].hash != pack.hash:
        # a change was approved between the two looks: nothing is kept under another pack's name
        raise DoudiError(
            "阈值刚被批准调整，请再办一次。", "A number was just changed; try again.", code="pack_changed"
        )
    monitoring.keep_pack(pack, folder, roots=(settings.PACK.parent,))


@lru_cache(maxsize=4)
def _doubt_rules(folder: Path) -> DoubtRules:
    return load_doubts(folder)


def doubt_rules() -> DoubtRules:
    """The doubt rules of the pack in force (疑点核查规则); read once a process."""
    return _doubt_rules(settings.PACK)


@lru_cache(maxsize=4)
def _outreach(folder: Path) -> Outreach:
    return load_outreach(folder)


def outreach() -> Outreach:
    """How the pack has reports of families taken in (主动发现); read once a process."""
    return _outreach(settings.PACK)


@lru_cache(maxsize=4)
def _privacy(folder: Path) -> PrivacyRules:
    return load_privacy(folder)


def privacy_rules() -> PrivacyRules:
    """For what personal data are used, and the limits of people's requests (用途登记); read once a process."""
    return _privacy(settings.PACK)


@lru_cache(maxsize=4)
def _procedures(folder: Path) -> Procedures:
    return load_procedures(folder)


def procedures() -> Procedures:
    """How the pack has applications handled (申请办理规程); read once a process."""
    return _procedures(settings.PACK)


@lru_cache(maxsize=4)
def _upward(folder: Path) -> UpwardRules:
    return load_upward(folder)


def upward_rules() -> UpwardRules:
    """In which layouts the pack has rows sent to the systems above (上报包); read once a process."""
    return _upward(settings.PACK)


@lru_cache(maxsize=4)
def _giving(folder: Path) -> GivingRules:
    return load_giving(folder)


def giving_rules() -> GivingRules:
    """How the pack has charity's money kept (慈善资金); read once a process."""
    return _giving(settings.PACK)


@lru_cache(maxsize=4)
def _linkage_rules(folder: Path) -> LinkageRules:
    benefits = load_benefits(folder).benefits
    return replace(load_linkage(folder), benefits={code: found.label for code, found in benefits.items()})


def linkage_rules() -> LinkageRules:
    """How government and charity go hand in hand, as the pack has it (慈善衔接); read once a process."""
    return _linkage_rules(settings.PACK)


@lru_cache(maxsize=4)
def _duplicate_rules(folder: Path) -> DuplicateRules:
    return load_duplicate_rules(folder)


def duplicate_rules() -> DuplicateRules:
    """From which certainty on two records are one person, as the pack has it (查重); read once a process."""
    return _duplicate_rules(settings.PACK)


@lru_cache(maxsize=4)
def verification_rules_of(folder: Path) -> VerificationRules:
    """The verification rules of a pack's folder, as of one that was kept (核对规则)."""
    return load_verification_rules(folder)


def verification_rules() -> VerificationRules:
    """The verification rules of the pack in force (核对规则)."""
    return verification_rules_of(settings.PACK)


@lru_cache(maxsize=4)
def _food_safety(folder: Path) -> FoodSafety:
    return load_food_safety(folder)


def food_safety() -> FoodSafety:
    """The food safety rules of the pack in force (食品安全); read once a process."""
    return _food_safety(settings.PACK)


@lru_cache(maxsize=4)
def _volunteer_rules(folder: Path) -> VolunteerRules:
    return load_volunteer_rules(folder)


def volunteer_rules() -> VolunteerRules:
    """What an hour earns and what a point buys, as the pack in force has it (志愿服务); read once a process."""
    return _volunteer_rules(settings.PACK)


@lru_cache(maxsize=4)
def _siting_rules(folder: Path) -> SitingRules:
    return load_siting_rules(folder)


def siting_rules() -> SitingRules:
    """The siting defaults of the pack in force (选址); read once a process."""
    return _siting_rules(settings.PACK)


def tails() -> registry.Tails:
    """For how many months somebody is watched after leaving and after temporary aid, as the pack says."""
    left, aid = tail_months(settings.PACK)
    return registry.Tails(left_months=left, aid_months=aid)


@lru_cache(maxsize=4)
def _disability_file(folder: Path) -> DisabilityFile | None:
    return disability_file(folder, rules()[0].feeds)


def disabilities() -> DisabilityFile | None:
    """Which feed tells who is disabled, as the pack has it (残疾); read once a process."""
    return _disability_file(settings.PACK)


@lru_cache(maxsize=4)
def _meal_rules(folder: Path) -> tuple[PriceRules, NetworkRules]:
    return load_prices(folder), load_network(folder)


def meal_prices() -> PriceRules:
    """The price schemes of the pack in force (助餐价格); read once a process."""
    return _meal_rules(settings.PACK)[0]


def meal_network() -> NetworkRules:
    """How the pack in force has the meal network run (助餐运行); read once a process."""
    return _meal_rules(settings.PACK)[1]
