"""The request desk and one request with its steps (委托单)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.registry import services as registry
from doudi.contexts.verification import services as verification
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.engine.status import Status
from doudi.engine.verification import Rules, State
from doudi.web.forms import DayInput, YuanField
from doudi.web.guard import asker
from doudi.web.templatetags.doudi import english

PAGE = 25


@require_safe
def desk(request: HttpRequest) -> HttpResponse:
    """The request desk: what is open, overdue, reported (委托单)."""
    user = asker(request)
    state = request.GET.get("state", "open")
    found = verification.requests(by=user, state="" if state == "all" else state)
    rules = chain.verification_rules()
    shown = {
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "state": state,
        "states": [
            ("open", gettext_lazy("在办")), ("overdue", gettext_lazy("已超期")), (State.COMPARING, State.COMPARING.label),
            (State.REPORTED, State.REPORTED.label), (State.OBJECTED, State.OBJECTED.label), ("all", gettext_lazy("全部")),
        ],
        "kinds": {kind.code: name_of(kind) for kind in rules.kinds.values()},
        "purposes": {purpose.code: name_of(purpose) for purpose in rules.purposes.values()},
    }  # fmt: skip
    return render(request, "verification/desk.html", shown)


def name_of(declared: Any) -> str:
    """The name of something the pack declares, in the reader's language."""
    return str(declared.label_en if english() else declared.label)


class RequestForm(forms.Form):
    """What a household is verified for, and what its members declared."""

    kind = forms.ChoiceField(label=gettext_lazy("委托种类"))
    purpose = forms.ChoiceField(label=gettext_lazy("用途"))
    as_of = forms.DateField(label=gettext_lazy("核对基准日"), widget=DayInput())
    requested_by = forms.CharField(label=gettext_lazy("委托单位"), max_length=80)

    def __init__(self, *args: Any, members: list[registry.Member], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rules = chain.verification_rules()
        self.fields["kind"].choices = [(k.code, name_of(k)) for k in rules.kinds.values()]  # type: ignore[attr-defined]
        self.fields["purpose"].choices = [(p.code, name_of(p)) for p in rules.purposes.values()]  # type: ignore[attr-defined]
        self.members = members
        for member in members:
            for item in rules.items.values():
                name = f"d{member.person_id}_{item.name}"
                if item.measure == "数":
                    self.fields[name] = forms.IntegerField(
                        label=_(item.name), required=False, min_value=0, max_value=99
                    )
                else:
                    self.fields[name] = YuanField(label=_(item.name), required=False)

    def by_member(self) -> list[tuple[registry.Member, list[forms.BoundField]]]:
        """The fields of each member, in the order of the pack's items."""
        items = chain.verification_rules().items
        return [(member, [self[f"d{member.person_id}_{name}"] for name in items]) for member in self.members]

    def declared(self) -> dict[int, dict[str, int]]:
        """Person key → item → fen or count, without what was left empty."""
        told: dict[int, dict[str, int]] = {}
        for member in self.members:
            lines = {
                name: self.cleaned_data[f"d{member.person_id}_{name}"]
                for name in chain.verification_rules().items
                if self.cleaned_data.get(f"d{member.person_id}_{name}")
            }
            if lines:
                told[member.person_id] = lines
        return told


def new(request: HttpRequest, household_no: str) -> HttpResponse:
    """Ask for a household of the register to be verified (委托核对)."""
    user = asker(request)
    household = registry.look_at_household(household_no, by=user, reason="委托核对")
    members = registry.members(household, by=user)
    first = {
        "as_of": timezone.localdate(),
        "requested_by": registry.region_name(user.region_code) if user.region_code else "",
    }
    form = RequestForm(request.POST or None, members=members, initial=first)
    problem = None
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        try:
            opened = chain.verify_household(
                household_no,
                declared=form.declared(),
                kind=typed["kind"],
                purpose=typed["purpose"],
                as_of=typed["as_of"],
                requested_by=typed["requested_by"],
                by=user,
            )
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            messages.success(request, _("委托单已受理。请收齐每位成员的授权书。"))
            return redirect("verification", number=opened.number)
    shown = {"household": household, "form": form, "problem": problem}
    return render(request, "verification/new.html", shown, status=422 if form.is_bound else 200)


@require_safe
def request_page(request: HttpRequest, number: str) -> HttpResponse:
    """One request: who, which sources, how far, what comes next; the look is in the audit log."""
    user = asker(request)
    return _page(request, verification.look_at_request(number, by=user))


def _page(
    request: HttpRequest, found: verification.VerificationRequest, problem: DoudiError | None = None
) -> HttpResponse:
    user = asker(request)
    rules = chain.verification_rules()
    people = list(found.people.all())
    latest = verification.latest_queries(found)
    queries = {(q.person_id, q.source): q for q in latest if not q.place}
    queries_elsewhere = {(q.person_id, q.source, q.place): q for q in latest if q.place}
    gaps = {gap.person.pk: gap.sources for gap in verification.gaps(found)}
    state = State(found.state)
    sight = chain.sight(by=user)
    ready = state in (State.COMPARING, State.REVIEWING) and may(user, Act.ISSUE_REPORT)
    shown: dict[str, Any] = {
        "request_": found,
        "problem": problem,
        "kind": name_of(rules.kinds[found.kind]),
        "purpose": name_of(rules.purposes[found.purpose]),
        "people": [
            {
                "person": person,
                "name_shown": sight.name(person.name),
                "id_shown": identity.mask_id(person.id_number),
                "missing": len(gaps.get(person.pk, ())),
                "declared": [
                    (line.item, None if sight.hides_item(line.item, measure) else line.amount, measure)
                    for line in person.declared.order_by("item")
                    if (measure := rules.items[line.item].measure)
                ],
            }
            for person in people
        ],
        "table": [
            (source, [queries.get((person.pk, code)) for person in people])
            for code in found.sources
            if (source := rules.sources.get(code)) is not None
        ],
        "elsewhere": [
            (check, source, [queries_elsewhere.get((person.pk, code, check.peer)) for person in people])
            for check in found.entrusted.all()
            for code in check.sources
            if (source := rules.sources.get(code)) is not None
        ],
        "peers": _peers(),
        "waiting": any(q.status == Status.NOT_ARRIVED for q in queries.values()),
        "failed": sorted({q.source for q in queries.values() if q.status == Status.FAILED}),
        "ways": verification.Authorisation.Way.choices,
        "explanations": list(found.explanations.all()),
        "reports": verification.reports_of(found, by=user),
        "preview": chain.report_shown({"computed": chain.preview_report(found.number, by=user)}, by=user)[
            "computed"
        ]
        if ready
        else None,
        "known": any(q.status == Status.KNOWN for q in queries.values()),
        "events": list(found.events.all()),
        "next": _next(state, user, bool(gaps)) | ({"support"} if _may_state(rules, state, user) else set()),
        "support_stated": verification.latest_statement(found) is not None,
        "today": timezone.localdate(),
        # what was typed stays when a step is refused; a chosen file the browser asks for again
        "typed": request.POST if problem else {},
    }
    return render(request, "verification/request.html", shown, status=422 if problem else 200)


@require_safe
def found(request: HttpRequest, number: str) -> HttpResponse:
    """What each source returned, cell by cell as the marks let this account see it (查得明细)."""
    user = asker(request)
    entries = chain.found_rows(number, by=user)
    for entry in entries:
        for row in entry["rows"]:
            row["labelled"] = list(zip(entry["headings"], row["cells"], strict=True))
    shown = {"request_": verification.request_of(number, by=user), "found": entries}
    return render(request, "verification/found.html", shown)


def _peers() -> list[tuple[str, str]]:
    """Other houses that a check may be entrusted to; a file of connections that cannot be read offers none."""
    try:
        return [(peer.code, peer.label) for peer in verification.peers().values()]
    except verification.ConnectorsInvalid:
        return []


def _may_state(rules: Rules, state: State, user: User) -> bool:
    """Whether the supporters who live apart may be stated now."""
    return rules.support is not None and state.open and may(user, Act.COLLECT_AUTHORISATION)


def _next(state: State, user: User, incomplete: bool) -> set[str]:
    """The steps that fit the state and the role."""
    steps: set[str] = set()
    if may(user, Act.COLLECT_AUTHORISATION) and state.open:
        steps |= {"authorise"} if incomplete else set()
        steps |= {"confirm"} if state is State.ACCEPTED and not incomplete else set()
        steps |= {"answer"}
    if may(user, Act.REQUEST_VERIFICATION):
        steps |= {"withdraw"} if state.open and state not in (State.OBJECTED, State.REVIEWING) else set()
        steps |= {"object"} if state in (State.REPORTED, State.REVIEWED) else set()
    if may(user, Act.QUERY_SOURCES):
        askable = (State.ACCEPTED, State.AUTHORISED, State.QUERYING, State.PARTIAL, State.COMPARING)
        steps |= {"query", "return"} if state in askable else set()
        steps |= {"query"} if state is State.REVIEWING else set()
        steps |= {"entrust"} if state in (*askable, State.REVIEWING) else set()
        steps |= {"close"} if state in (State.QUERYING, State.PARTIAL) else set()
        steps |= {"review"} if state is State.OBJECTED else set()
    if may(user, Act.HOLD_EVIDENCE):
        steps |= {"hold"}
    if may(user, Act.ISSUE_REPORT):
        steps |= {"explain", "judge", "report"} if state in (State.COMPARING, State.REVIEWING) else set()
        steps |= {"archive"} if state in (State.REPORTED, State.REVIEWED) else set()
    return steps


def _uploaded(request: HttpRequest) -> tuple[bytes, str]:
    file = request.FILES.get("evidence")
    return (file.read(), file.name or "") if file is not None else (b"", "")


def _authorise(request: HttpRequest, number: str, user: User) -> str:
    found = verification.request_of(number, by=user)
    person = found.people.filter(pk=request.POST.get("person", "0") or "0").first()
    if person is None:
        raise verification.StepRefused(_("请选择授权人。"), "Choose the person.")
    evidence, name = _uploaded(request)
    chain.authorise_verification(
        name=person.name,
        id_number=person.id_number,
        region_code=found.region_code,
        purposes=[found.purpose],
        sources=found.sources,
        signed_on=day_of(request.POST.get("signed_on", "")),
        way=request.POST.get("way", ""),
        signer=request.POST.get("signer", "").strip() or person.name,
        guardian_relation=request.POST.get("guardian_relation", ""),
        limited_capacity=bool(request.POST.get("limited_capacity")),
        evidence=evidence,
        evidence_name=name,
        by=user,
    )
    return _("授权书已登记。")


def day_of(text: str) -> date:
    """A day of a form, or :class:`StepRefused`."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise verification.StepRefused(
            "请填写日期，例如 2024-11-15。", "Give a date such as 2024-11-15."
        ) from None


def _query(request: HttpRequest, number: str, user: User) -> str:
    counts = chain.query_sources(number, by=user, again=request.POST.getlist("again"))
    return _("发出查询 %(asked)s 项；未授权、不发出 %(unauthorised)s 项。") % counts


def _entrust(request: HttpRequest, number: str, user: User) -> str:
    check = chain.entrust_check(
        number, peer=request.POST.get("peer", ""), sources=request.POST.getlist("sources"), by=user
    )
    if check.receipt:
        return _("异地协查已签收，回执 %s。") % check.receipt
    return _("异地协查已登记，暂未送达，系统会自动重试。")


def _answer(request: HttpRequest, number: str, user: User) -> str:
    evidence, name = _uploaded(request)
    verification.answer_explanation(
        number,
        request.POST.get("item", ""),
        answer=request.POST.get("answer", ""),
        evidence=evidence,
        evidence_name=name,
        by=user,
    )
    return _("申请人的说明已登记。")


def _judge(request: HttpRequest, number: str, user: User) -> str:
    accepted = request.POST.get("accepted") == "yes"
    verification.answer_explanation(
        number, request.POST.get("item", ""), answer="", accepted=accepted, by=user
    )
    return _("说明已认定。")


def _object(request: HttpRequest, number: str, user: User) -> str:
    reports = verification.reports_of(verification.request_of(number, by=user), by=user)
    if not reports:
        raise verification.StepRefused(_("还没有报告。"), "There is no report yet.")
    evidence, name = _uploaded(request)
    chain.object_to_report(
        reports[-1].number,
        sources=request.POST.getlist("sources"),
        ground=request.POST.get("ground", ""),
        evidence=evidence,
        evidence_name=name,
        by=user,
    )
    return _("异议已登记，转核对人员复核。")


def _hold(request: HttpRequest, number: str, user: User) -> str:
    lift = request.POST.get("lift") == "1"
    why = "" if lift else request.POST.get("why", "")
    if not lift and not why.strip():
        raise verification.StepRefused(_("请写明保全理由（至少四个字）。"), "State the reason.")
    verification.hold_evidence(number, why=why, by=user)
    return _("已解除证据保全。") if lift else _("证据已保全，到期不删除。")


def _ask(request: HttpRequest, number: str, user: User) -> str:
    return _("已请申请人说明 %d 项。") % chain.ask_explanations(number, by=user)


def _end(to: State) -> Callable[[HttpRequest, str, User], str]:
    def end(request: HttpRequest, number: str, user: User) -> str:
        verification.end_request(number, to=to, why=request.POST.get("why", ""), by=user)
        return _("已办理。")

    return end


def _plain(call: Callable[..., Any], said: Any) -> Callable[[HttpRequest, str, User], str]:
    def step(request: HttpRequest, number: str, user: User) -> str:
        call(number, by=user)
        return str(said)

    return step


_STEPS: dict[str, Callable[[HttpRequest, str, User], str]] = {
    "authorise": _authorise,
    "confirm": _plain(verification.confirm_authorised, gettext_lazy("成员授权齐全，可以查询。")),
    "query": _query,
    "entrust": _entrust,
    "hold": _hold,
    "close": _plain(verification.close_queries, gettext_lazy("已转入比对，报告会注明部分结果。")),
    "explain": _ask,
    "answer": _answer,
    "judge": _judge,
    "report": _plain(chain.issue_report, gettext_lazy("核对报告已出具。")),
    "object": _object,
    "review": _plain(verification.begin_review, gettext_lazy("已开始复核，请重查有异议的来源。")),
    "return": _end(State.RETURNED),
    "withdraw": _end(State.WITHDRAWN),
    "archive": _plain(verification.archive_request, gettext_lazy("已归档。")),
}


def step(request: HttpRequest, number: str, step: str) -> HttpResponse:
    """One step of a request; what does not fit is said on the request's own page, and nothing typed is acted on."""
    user = asker(request)
    act = _STEPS.get(step)
    if request.method != "POST" or act is None:
        return redirect("verification", number=number)
    verification.request_of(number, by=user)
    try:
        said = act(request, number, user)
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _page(request, verification.request_of(number, by=user), problem)
    messages.success(request, said)
    return redirect("verification", number=number)


def source_failed(request: HttpRequest, number: str) -> HttpResponse:
    """Say that a source failed for one request."""
    user = asker(request)
    if request.method != "POST":
        return redirect("verification", number=number)
    try:
        chain.mark_source_failed(
            number, request.POST.get("source", ""), why=request.POST.get("why", ""), by=user
        )
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _page(request, verification.request_of(number, by=user), problem)
    messages.success(request, _("已记为失败；报告写“失败”，不写“查无”。"))
    return redirect("verification", number=number)
