"""Letters to applicants (文书): receipt, acceptance, the one notice, grant, refusal, end, change; as PDF and Word.

The words are the pack's. A letter is kept as it was issued: what it said then it says for ever.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, may, record, require, take_turn
from doudi.contexts.assistance.application_models import Application, Decision, LetterIssue
from doudi.contexts.assistance.applications import application
from doudi.contexts.assistance.decisions import decision
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.registry import services as registry
from doudi.engine.money import format_yuan
from doudi.engine.packs.procedures import Procedures, filled
from doudi.engine.workdays import add_workdays
from doudi.house import documents

LETTER_FORMS = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
_OF_DECISION = {
    Decision.Result.GRANTED: "确认",
    Decision.Result.REFUSED: "不予确认",
    Decision.Result.STOPPED: "停发",
    Decision.Result.CHANGED: "变更",
}


@dataclass(frozen=True)
class LetterFile:
    """A letter as a file: its name, media type and content."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class LetterDue:
    """A decision whose letter has not been issued yet, and until when it must be."""

    decision: Decision
    due_on: date | None


@transaction.atomic
def issue_letter(
    *,
    rules: Procedures,
    by: User,
    letter: str = "",
    application_number: str = "",
    decision_number: str = "",
    progress_at: str = "",
) -> LetterIssue:
    """Issue a letter on an application or a decision; asked again with the same content it is the same letter.

    ``letter`` is 回执, 受理 or 一次性告知; a decision has its own by its result. ``progress_at`` is the address of the
    progress page, which stands on an application's own letters as a QR code (the receipt code never in it).
    """
    take_turn()
    made = decision(decision_number, by=by) if decision_number else None
    found = made.application if made is not None else application(application_number, by=by)
    if made is not None:
        letter = _OF_DECISION[Decision.Result(made.result)]
    if letter not in rules.letters or (made is None and letter in _OF_DECISION.values()):
        raise StepRefused("没有这种文书。", "No such letter.")
    region = made.region_code if made is not None else found.region_code if found is not None else ""
    act = Act.DECIDE_APPLICATION if made is not None else Act.TAKE_APPLICATION
    # a decision's letter is handed over by the window too, which decides nothing by it
    require(
        by,
        Act.TAKE_APPLICATION if made is not None and not may(by, Act.DECIDE_APPLICATION) else act,
        region_code=region,
    )
    paper = _paper(letter, rules, found, made)
    if progress_at and made is None:
        paper = replace(paper, code=progress_at, code_words=("扫码查询办理进度",))
    base = f"{made.number if made is not None else found.number if found is not None else ''}-{letter}"
    issued = LetterIssue.objects.filter(number__startswith=base, digest=paper.digest).first()
    if issued is None:
        count = LetterIssue.objects.filter(number__startswith=base).count()
        issued = LetterIssue.objects.create(
            number=f"{base}-{count + 1}",
            letter=letter,
            application=found,
            decision=made,
            digest=paper.digest,
            content=json.dumps(asdict(paper), ensure_ascii=False),
            issued_on=timezone.localdate(),
            issued_by=by.username,
        )
    record(
        by=by,
        act="issue_letter",
        subject=f"letter:{issued.number}",
        region_code=region,
        detail={"letter": letter, "digest": issued.digest},
    )
    return issued


@transaction.atomic
def letter_file(number: str, form: str, *, by: User) -> LetterFile:
    """A letter that was issued, as PDF or Word; taking it is in the audit log."""
    require(by, Act.VIEW_APPLICATIONS)
    issued = LetterIssue.objects.select_related("application", "decision").filter(number=number).first()
    region = ""
    if issued is not None:
        holder = issued.decision or issued.application
        assert holder is not None
        region = holder.region_code
    if issued is None or form not in LETTER_FORMS or not region.startswith(by.region_code):
        raise StepRefused(f"没有文书 {number}。", f"No letter {number}.", code="letter_not_found")
    said = json.loads(issued.content)
    paper = documents.Paper(
        said["title"],
        said["subtitle"],
        tuple(documents.text(block["words"]) for block in said["blocks"]),
        tuple(said["foot"]),
        code=said.get("code", ""),
        code_words=tuple(said.get("code_words", ())),
    )
    content = documents.to_pdf(paper) if form == "pdf" else documents.to_word(paper)
    record(by=by, act="take_letter", subject=f"letter:{number}", region_code=region, detail={"form": form})
    return LetterFile(f"{number}.{form}", LETTER_FORMS[form], content)


def letters_due(*, rules: Procedures, by: User) -> list[LetterDue]:
    """Decisions of the area without their letter, the most urgent first (待送达)."""
    require(by, Act.VIEW_APPLICATIONS)
    waiting = Decision.objects.filter(region_code__startswith=by.region_code, letters=None).exclude(
        application=None
    )
    waiting = registry.but_own(waiting, by=by, household="household_no", blind="application__id_blind")
    found = []
    for made in waiting.order_by("decided_on")[:200]:
        limit = rules.of(made.kind, made.region_code).limit("不予告知")
        due = add_workdays(made.decided_on, limit.amount) if limit is not None else None
        found.append(LetterDue(made, due))
    return sorted(found, key=lambda one: (one.due_on is None, one.due_on or one.decision.decided_on))


def _paper(
    letter: str, rules: Procedures, found: Application | None, made: Decision | None
) -> documents.Paper:
    words: dict[str, Any] = {}
    template = rules.letters[letter]
    region = made.region_code if made is not None else found.region_code if found is not None else ""
    county = registry.region_name(region[:6])
    kind = rules.of(made.kind if made is not None else found.kind if found is not None else "", region)
    words |= {"事项": kind.label, "依据": kind.clause}
    words["复议"] = rules.review_words.replace("{复议机关}", f"{county}人民政府")
    if found is not None:
        told = found.supplement if letter == "一次性告知" and hasattr(found, "supplement") else None
        if letter == "一次性告知" and told is None:
            raise StepRefused("还没有一次性告知。", "The one notice was not given.")
        if letter == "受理" and found.accepted_on is None:
            raise StepRefused("还没有受理。", "It was not accepted yet.")
        labels = {paper.code: paper.label for paper in kind.papers}
        words |= {
            "姓名": found.applicant_name,
            "户编号": found.household_no or "—",
            "编号": found.number,
            "申请日": _day(found.submitted_on),
            "受理日": _day(found.accepted_on),
            "查询码": f"{found.receipt[:5]}-{found.receipt[5:]}",
            "时限": _limit_told(found, rules),
            "缺件": "；".join(f"{at}. {labels.get(code, code)}" for at, code in enumerate(told.missing, 1))
            + "。"
            if told is not None
            else "",
        }
    elif made is not None:
        brief = registry.household_briefs([made.household_no]).get(made.household_no)
        words |= {"姓名": brief.head_name if brief is not None else "", "户编号": made.household_no}
    if made is not None:
        words |= _words_of_decision(made)
    issuer = registry.region_name(region) if made is None else f"{county}民政局"
    if made is not None and made.delegated:
        issuer = f"{registry.region_name(region)}（受{county}民政局委托）"
    day = made.decided_on if made is not None else timezone.localdate()
    paragraphs = [filled(text, words).strip() for text in template.paragraphs]
    return documents.Paper(
        template.title,
        f"{made.number}" if made is not None else f"{words.get('编号', '')}",
        tuple(documents.text(text) for text in paragraphs if text),
        (issuer, _day(day)),
    )


def _words_of_decision(made: Decision) -> dict[str, str]:
    names = (
        {key: name for key, name, *_rest in registry.people_of_household(made.household_no)}
        if made.household_no
        else {}
    )
    people = "、".join(names[key] for key in made.persons if key in names)
    if made.amount_fen is not None:
        amount = f"一次性救助{format_yuan(made.amount_fen)}元。"
    else:
        amount = "补助金额按发放名册计算，从生效月份起按月发放。" if made.category in ("低保", "特困") else ""
    said = made.ground if made.sentence in ("", made.ground) else f"{made.sentence}。{made.ground}"
    return {
        "文号": made.number,
        "原文号": made.follows.number if made.follows is not None else "",
        "对象": f"{people or '申请人'}，共{len(made.persons) or 1}人",
        "起": _day(made.valid_from),
        "止": f"，至{_day(made.valid_to)}前一日止" if made.valid_to else "",
        "金额": amount,
        "理由": said.rstrip("。") + "。",
        "依据": made.clause,
        "改变": made.change_sentence or "家庭人口、收入、财产或支出发生变化的，可以再次申请。",
    }


def _limit_told(found: Application, rules: Procedures) -> str:
    kind = rules.of(found.kind, found.region_code)
    whole = kind.limit("特殊总" if found.extended else "总")
    if whole is None:
        return "按规定的各步骤时限办理"
    return f"自受理次日起{whole.told}，至{_day(found.due_on)}"


def _day(day: date | None) -> str:
    return f"{day.year}年{day.month}月{day.day}日" if day is not None else ""
