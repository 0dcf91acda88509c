"""My clocks: every warning whose limit runs for the account, and work that goes to another officer when staff change."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.web.forms import HandoverForm
from doudi.web.guard import asker
from doudi.web.paging import LongList

PAGE = 25


@require_safe
def my_clocks(request: HttpRequest) -> HttpResponse:
    """The running limits, the nearest first, with how far each has gone."""
    user = asker(request)
    page = LongList(monitoring.my_clocks(by=user), PAGE).get_page(request.GET.get("page"))
    shown = {
        "page": page,
        "rows": [monitoring.as_running(case) for case in page],
        "may_hand_over": may(user, Act.HAND_OVER),
    }
    return render(request, "monitoring/clocks.html", shown)


def handover(request: HttpRequest) -> HttpResponse:
    """Choose from whom to whom, look at what would go over, then do it."""
    user = asker(request)
    form = HandoverForm(request.POST or None, officers=_officers(user))
    shown: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        try:
            if "confirm" not in request.POST:
                shown["plan"] = monitoring.preview_handover(
                    typed["from_account"], typed["to_account"], by=user
                )
            else:
                done = monitoring.hand_over(
                    typed["from_account"], typed["to_account"], ground=typed["ground"], by=user
                )
                messages.success(request, _("已交接 %(count)d 件。") % {"count": len(done.cases)})
                for case, why in done.left:
                    messages.warning(request, f"{case.number}：{why}")
                return redirect("handover")
        except DoudiError as problem:
            if problem.code == "not_allowed":
                raise
            shown["problem"] = problem
    failed = bool(form.errors) or "problem" in shown
    return render(request, "monitoring/handover.html", shown, status=422 if failed else 200)


def _officers(user: User) -> list[tuple[str, str]]:
    """The township officers of the account's area, with how much each has in hand."""
    return [
        (
            one.username,
            _("%(name)s（%(place)s，%(count)d 件）")
            % {"name": one.display_name, "place": registry.region_name(one.region_code), "count": count},
        )
        for one, count in monitoring.officers_with_work(by=user)
    ]
