"""What an account was told, and the messages on their way out of the house."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from doudi.contexts.monitoring import services as monitoring
from doudi.web.guard import asker

PAGE = 25
STATES = ("waiting", "given_up", "sent")


@require_safe
def notice_list(request: HttpRequest) -> HttpResponse:
    """The account's own notices, the unread ones marked."""
    page = Paginator(monitoring.notices(by=asker(request)), PAGE).get_page(request.GET.get("page"))
    return render(request, "monitoring/notices.html", {"page": page})


def read(request: HttpRequest) -> HttpResponse:
    """Mark the notices of the page, or all, as read."""
    if request.method == "POST":
        numbers = [int(number) for number in request.POST.getlist("number") if number.isdigit()]
        count = monitoring.read_notices(numbers or None, by=asker(request))
        said = ngettext("%(count)d 条已标为已读。", "%(count)d 条已标为已读。", count)
        messages.success(request, said % {"count": count})
    return redirect("notices")


@require_safe
def outbox(request: HttpRequest) -> HttpResponse:
    """Messages that wait, were given up or arrived, with the last failure."""
    status = request.GET.get("status", "")
    found = monitoring.outbox(by=asker(request), status=status if status in STATES else "")
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    states = [(state, label) for state, label in monitoring.Push.Status.choices]
    return render(request, "monitoring/outbox.html", {"page": page, "status": status, "states": states})


def send_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Try a message at once."""
    if request.method == "POST":
        monitoring.send_again(pk, by=asker(request))
        messages.success(request, _("已排入，下次运行 doudi worker 时发送。"))
    return redirect("outbox")
