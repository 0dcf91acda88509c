"""What a household may get, the list it comes from, and departments that work by Excel (一户一策、资源清单、部门回传)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from doudi.chain import evidence, packs, warnings
from doudi.contexts.accounts.services import User
from doudi.contexts.assistance import services as assistance
from doudi.contexts.assistance import webhooks
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError


def entitlements(household_no: str, *, by: User) -> tuple[registry.Household, list[assistance.Entitlement]]:
    """Everything a household may get, by the latest screen and the register of today (一户一策)."""
    run = monitoring.latest_run()
    explanation = None
    if run is not None:
        try:
            explanation = evidence.explain(household_no, as_of=run.as_of)
        except DoudiError as problem:
            # a family that came after the screen has no explanation yet: its category is not known by one
            if problem.code != "no_household":
                raise
    return assistance.entitlements_of(
        household_no,
        explanation=explanation,
        pack=packs.rules()[0],
        rules=packs.procedures(),
        by=by,
    )


def keep_resource(facts: Mapping[str, Any], *, by: User, **which: Any) -> assistance.Resource:
    """Enter or change a project of the list (维护资源项目)."""
    return assistance.keep_resource(facts, pack=packs.rules()[0], by=by, **which)


def take_resource_workbook(path: Path, *, by: User) -> assistance.Answered:
    """Take the list's workbook in (导入资源清单)."""
    return assistance.take_resource_workbook(path, pack=packs.rules()[0], by=by)


def referral_workbook(*, by: User) -> bytes:
    """A department's pending needs as a workbook (待办清单)."""
    return assistance.referral_workbook(by=by, region_name=registry.region_path)


def take_referral_workbook(path: Path, *, by: User) -> assistance.Answered:
    """Take a department's filled workbook in, each row by the steps of the page (部门回传)."""
    return assistance.take_referral_workbook(
        path,
        by=by,
        accept=warnings.accept_referral,
        answer=warnings.answer_referral,
        send_back=warnings.return_referral,
    )


def subscribe_webhook(*, by: User, **asked: Any) -> tuple[webhooks.WebhookSubscription, str]:
    """Let a department's events go to its own system (部门接口推送); gives the secret, told once."""
    return webhooks.subscribe(handling=packs.rules()[1], by=by, **asked)
