"""One application: what is known, what comes next for whom, and each step as a form of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, Role, User, may
from doudi.contexts.assistance import services as assistance
from doudi.contexts.registry import services as registry
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.engine.packs.procedures import NOTICE, VERIFY, Procedure
from doudi.web.guard import asker
from doudi.web.views.verification.requests import RequestForm
from doudi.web.views.window import forms as typed_in
from doudi.web.views.window.intake import kind_names

State = assistance.ApplicationState
Application = assistance.Application


@dataclass(frozen=True)
class Step:
    """A step: its title, form, act, when it fits, what it does and what is said when it is done."""

    title: Any
    act: Act
    fits: Callable[[Application, Procedure, User], bool]
    run: Callable[[str, Any, User], Any]
    done: Any
    form: Callable[..., forms.Form] | None = None
    button: Any = ""


def _in(*states: State) -> Callable[[Application, Procedure, User], bool]:
    return lambda found, _kind, _user: found.state in states


def _papers_form(found: Application, *args: Any) -> forms.Form:
    kind = chain.procedures().of(found.kind, found.region_code)
    return typed_in.PaperForm(
        *args, papers=[(paper.code, typed_in.paper_label(paper)) for paper in kind.papers]
    )


def _plain(form: type[forms.Form]) -> Callable[..., forms.Form]:
    return lambda _found, *args: form(*args)


def _accept_form(found: Application, *args: Any) -> forms.Form:
    return (typed_in.AloneForm if found.alone else typed_in.AcceptForm)(*args)


def _decide_form(found: Application, *args: Any) -> forms.Form:
    kind = chain.procedures().of(found.kind, found.region_code)
    return typed_in.DecideForm(*args, once=kind.once)


def _decide(number: str, form: Any, user: User) -> Any:
    typed = form.cleaned_data
    return chain.decide_application(
        number,
        grant=typed["grant"] == "yes",
        ground=typed["ground"],
        amount_fen=typed.get("amount") or None,
        income_fen=typed_in.income_of(form),
        change_sentence=typed.get("change", ""),
        by=user,
    )


def _visit(number: str, form: Any, user: User, *, county: bool = False) -> Any:
    typed = form.cleaned_data
    evidence, name = typed["evidence"]
    return chain.record_application_visit(
        number,
        visited_on=typed["visited_on"],
        investigators=form.names(),
        findings=typed["findings"],
        agrees=typed["agrees"] == "yes",
        income_fen=typed_in.income_of(form),
        evidence=evidence,
        evidence_name=name,
        county=county,
        by=user,
    )


def _with_evidence(call: Callable[..., Any]) -> Callable[[str, Any, User], Any]:
    def run(number: str, form: Any, user: User) -> Any:
        typed = dict(form.cleaned_data)
        evidence, name = typed.pop("evidence")
        return call(number, **typed, evidence=evidence, evidence_name=name, by=user)

    return run


def _as_typed(call: Callable[..., Any]) -> Callable[[str, Any, User], Any]:
    return lambda number, form, user: call(number, **form.cleaned_data, by=user)


def _paper(number: str, form: Any, user: User) -> Any:
    typed = dict(form.cleaned_data)
    evidence, name = typed.pop("evidence")
    code = typed.pop("code")
    return chain.take_paper(number, code, **typed, evidence=evidence, evidence_name=name, by=user)


_NEW = (State.SUBMITTED, State.SUPPLEMENT)
STEPS: dict[str, Step] = {
    "household": Step(
        gettext_lazy("查明是哪一户"), Act.TAKE_APPLICATION,
        lambda found, _kind, _user: not found.household_no and found.state in (*_NEW, State.AIDED),
        _as_typed(assistance.name_household), gettext_lazy("已查明所在户。"), _plain(typed_in.HouseholdForm),
    ),
    "paper": Step(
        gettext_lazy("收材料"), Act.TAKE_APPLICATION,
        _in(*_NEW, State.AIDED, State.INVESTIGATING), _paper, gettext_lazy("材料已登记。"), _papers_form,
    ),
    "accept": Step(
        gettext_lazy("受理"), Act.TAKE_APPLICATION,
        lambda found, kind, _user: found.state in _NEW and not kind.transfers and not kind.aid_first,
        _as_typed(chain.accept_application), gettext_lazy("已受理，时限从明天起算。"), _accept_form,
    ),
    "aid": Step(
        gettext_lazy("先行救助"), Act.DECIDE_APPLICATION,
        lambda found, kind, _user: found.state in _NEW and kind.aid_first,
        lambda number, form, user: chain.aid_first(
            number, amount_fen=form.cleaned_data["amount"], ground=form.cleaned_data["ground"], by=user
        ),
        gettext_lazy("已给予救助，请在期限内补齐手续。"), _plain(typed_in.AidForm),
    ),
    "missing": Step(
        gettext_lazy("一次性告知缺件"), Act.TAKE_APPLICATION,
        lambda found, kind, _user: found.state == State.SUBMITTED and bool(assistance.missing_papers(found, kind)),
        lambda number, _form, user: chain.tell_missing(number, by=user),
        gettext_lazy("已一次性告知，请打印告知书。"),
    ),
    "transfer": Step(
        gettext_lazy("转办"), Act.TAKE_APPLICATION,
        _in(*_NEW), _as_typed(chain.transfer_application), gettext_lazy("已转办，等部门结果。"),
        _plain(typed_in.TransferForm),
    ),
    "visit": Step(
        gettext_lazy("登记入户调查"), Act.INVESTIGATE_APPLICATION,
        _in(State.INVESTIGATING, State.OBJECTED, State.AIDED), _visit, gettext_lazy("入户调查已登记。"),
        _plain(typed_in.ApplicationVisitForm),
    ),
    "meeting": Step(
        gettext_lazy("登记民主评议"), Act.INVESTIGATE_APPLICATION, _in(State.OBJECTED),
        _with_evidence(assistance.record_meeting), gettext_lazy("民主评议已登记。"), _plain(typed_in.MeetingForm),
    ),
    "opinion": Step(
        gettext_lazy("初审意见"), Act.GIVE_OPINION, _in(State.INVESTIGATING, State.OBJECTED),
        lambda number, form, user: chain.give_opinion(
            number, grant=form.cleaned_data["grant"] == "yes", ground=form.cleaned_data["ground"], by=user
        ),
        gettext_lazy("初审意见已登记。"), _plain(typed_in.OpinionForm),
    ),
    "notice": Step(
        gettext_lazy("登记公示"), Act.GIVE_OPINION,
        lambda found, kind, _user: NOTICE in kind.steps and not found.notices.filter(closed_on=None).exists()
        and (found.state in (State.GRANTED, State.AIDED) if kind.notice_after else found.state == State.NOTICE),
        _with_evidence(chain.post_notice), gettext_lazy("公示已登记。"), _plain(typed_in.NoticeForm),
    ),
    "objection": Step(
        gettext_lazy("登记公示异议"), Act.GIVE_OPINION,
        lambda found, _kind, _user: found.notices.filter(closed_on=None).exists(),
        _as_typed(assistance.object_to_notice), gettext_lazy("异议已登记。"), _plain(typed_in.ObjectionForm),
    ),
    "notice_end": Step(
        gettext_lazy("公示期满"), Act.GIVE_OPINION,
        lambda found, _kind, _user: found.notices.filter(
            closed_on=None, last_day__lt=timezone.localdate()
        ).exists(),
        lambda number, _form, user: chain.close_notice(number, by=user), gettext_lazy("公示已结束。"),
    ),
    "county_visit": Step(
        gettext_lazy("登记县级入户"), Act.VISIT_FOR_COUNTY,
        _in(State.INVESTIGATING, State.OBJECTED, State.PROPOSED, State.AIDED),
        lambda number, form, user: _visit(number, form, user, county=True),
        gettext_lazy("县级入户已登记。"), _plain(typed_in.ApplicationVisitForm),
    ),
    "decide": Step(
        gettext_lazy("审核确认"), Act.DECIDE_APPLICATION, _in(State.PROPOSED), _decide,
        gettext_lazy("决定已作出，请送达文书。"), _decide_form,
    ),
    "complete": Step(
        gettext_lazy("确认手续补齐"), Act.DECIDE_APPLICATION, _in(State.AIDED),
        lambda number, form, user: chain.complete_papers(number, note_text=form.cleaned_data["why"], by=user),
        gettext_lazy("手续已补齐。"), _plain(typed_in.WhyForm),
    ),
    "pause": Step(
        gettext_lazy("中止时限"), Act.TAKE_APPLICATION,
        lambda found, _kind, _user: found.paused_on is None
        and found.state in (State.INVESTIGATING, State.OBJECTED, State.PROPOSED),
        _as_typed(chain.pause_application), gettext_lazy("时限已中止。"), _plain(typed_in.PauseForm),
    ),
    "resume": Step(
        gettext_lazy("恢复计时"), Act.TAKE_APPLICATION, lambda found, _kind, _user: found.paused_on is not None,
        lambda number, _form, user: chain.resume_application(number, by=user), gettext_lazy("已恢复计时。"),
    ),
    "extend": Step(
        gettext_lazy("特殊情况延长"), Act.TAKE_APPLICATION,
        lambda found, kind, _user: found.due_on is not None and not found.extended
        and kind.limit("特殊总") is not None,
        lambda number, form, user: chain.extend_application(number, ground=form.cleaned_data["why"], by=user),
        gettext_lazy("已延长。"), _plain(typed_in.WhyForm),
    ),
    "withdraw": Step(
        gettext_lazy("申请人撤回"), Act.TAKE_APPLICATION,
        lambda found, _kind, _user: State.WITHDRAWN in assistance.following_states(found),
        lambda number, form, user: assistance.withdraw_application(
            number, why=form.cleaned_data["why"], by=user
        ),
        gettext_lazy("已撤回。"), _plain(typed_in.WhyForm),
    ),
}  # fmt: skip


_SELDOM = ("pause", "extend", "withdraw")
"""Steps that few applications need: folded away until somebody opens them."""


@require_safe
def application_page(request: HttpRequest, number: str) -> HttpResponse:
    """One application; the look is in the audit log."""
    return _page(request, assistance.look_at_application(number, by=asker(request)))


def _page(
    request: HttpRequest,
    found: Application,
    *,
    tried: str = "",
    form: forms.Form | None = None,
    problem: DoudiError | None = None,
) -> HttpResponse:
    user = asker(request)
    kind = chain.procedures().of(found.kind, found.region_code)
    decided = list(found.decisions.select_related("follows").order_by("pk"))
    shown: dict[str, Any] = {
        "application": found,
        "kind": kind_names()[found.kind],
        "procedure": kind,
        "id_shown": identity.mask_id(found.id_number),
        "sees_people": may(user, Act.REVEAL_IDENTITY),
        "persons": _persons(found, user),
        "papers": _papers(found, kind),
        "missing": [typed_in.paper_label(p) for p in assistance.missing_papers(found, kind)],
        "supplement": getattr(found, "supplement", None),
        "reasons": chain.reasons_for(found, by=user)
        if may(user, Act.VIEW_FINANCES) or may(user, Act.DECIDE_APPLICATION)
        else None,
        "verifies": VERIFY in kind.steps
        and found.state in (State.INVESTIGATING, State.OBJECTED, State.PROPOSED)
        and may(user, Act.REQUEST_VERIFICATION),
        "decided": decided,
        "letters": list(found.letters.order_by("pk")),
        "papers_to_print": _printable(found, user),
        "steps": _steps(found, kind, user, tried=tried, form=form),
        "problem": problem,
        "transfers": list(assistance.transfers_of(found.number, by=user)),
        "events": list(found.events.all()),
    }
    return render(request, "window/application.html", shown, status=422 if tried else 200)


def _persons(found: Application, user: User) -> list[str]:
    if not found.household_no:
        return []
    people = registry.people_of_household(found.household_no)
    plain = may(user, Act.REVEAL_IDENTITY)
    return [
        name if plain else identity.mask_name(name)
        for key, name, _relation, together in people
        if (key in found.persons if found.persons else together)
    ]


def _papers(found: Application, kind: Procedure) -> list[dict[str, Any]]:
    there: dict[str, Any] = {}
    for row in found.papers.all():
        there[row.code] = row
    return [
        {"label": typed_in.paper_label(p), "required": p.required, "row": there.get(p.code)}
        for p in kind.papers
    ]


def _printable(found: Application, user: User) -> list[str]:
    """Letters on the application itself that fit its state; a decision has its own."""
    if not may(user, Act.TAKE_APPLICATION):
        return []
    wanted = ["回执"] if found.accepted_on is None else ["受理"]
    return [*wanted, *(["一次性告知"] if getattr(found, "supplement", None) is not None else [])]


def _steps(
    found: Application, kind: Procedure, user: User, *, tried: str, form: forms.Form | None
) -> list[dict[str, Any]]:
    shown = []
    for name, step in STEPS.items():
        if not may(user, step.act) or not step.fits(found, kind, user):
            continue
        if name == "decide" and user.role == Role.TOWNSHIP and not (kind.delegated or kind.once):
            continue
        own = form if name == tried else step.form(found) if step.form is not None else None
        if own is not None:
            own.auto_id = f"{name}_%s"
        shown.append({"name": name, "title": step.title, "form": own, "seldom": name in _SELDOM})
    return shown


def take(request: HttpRequest, number: str, step: str) -> HttpResponse:
    """One step; what does not fit is said on the application's own page."""
    user = asker(request)
    asked = STEPS.get(step)
    found = assistance.application(number, by=user)
    if request.method != "POST" or asked is None:
        return redirect("application", number=number)
    form = asked.form(found, request.POST, request.FILES) if asked.form is not None else None
    if form is not None and not form.is_valid():
        return _page(request, found, tried=step, form=form)
    try:
        asked.run(number, form, user)
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _page(request, assistance.application(number, by=user), tried=step, form=form, problem=problem)
    messages.success(request, asked.done)
    return redirect("application", number=number)


class CheckForm(RequestForm):
    """What the members declare, for the check of an application: kind and purpose follow from it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["kind"], self.fields["purpose"]


def verify(request: HttpRequest, number: str) -> HttpResponse:
    """Have the household's economy checked for the application."""
    user = asker(request)
    found = assistance.application(number, by=user)
    household = registry.look_at_household(found.household_no, by=user, reason="申请委托核对")
    members = registry.members(household, by=user)
    first = {
        "as_of": timezone.localdate(),
        "requested_by": registry.region_name(user.region_code) if user.region_code else "",
    }
    form = CheckForm(request.POST or None, members=members, initial=first)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            opened = chain.verify_application(
                number,
                declared=form.declared(),
                as_of=form.cleaned_data["as_of"],
                requested_by=form.cleaned_data["requested_by"],
                by=user,
            )
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            messages.success(request, _("委托单已受理。请收齐每位成员的授权书。"))
            return redirect("verification", number=opened.number)
    shown = {"application": found, "household": household, "form": form, "problem": problem}
    return render(request, "window/verify.html", shown, status=422 if form.is_bound else 200)
