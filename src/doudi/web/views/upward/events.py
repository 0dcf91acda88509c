"""Subscriptions of departments' own systems, and the events that did not arrive."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from doudi import chain
from doudi.contexts.accounts.services import User
from doudi.contexts.assistance import webhooks
from doudi.engine.errors import DoudiError
from doudi.house import signing
from doudi.web.guard import asker

PAGE = 25
STATES = ("waiting", "given_up", "sent")


class SubscribeForm(forms.Form):
    """Which department's events go where."""

    department = forms.ChoiceField(label=gettext_lazy("部门"))
    url = forms.CharField(
        label=gettext_lazy("接收地址"),
        max_length=500,
        widget=forms.TextInput(attrs={"inputmode": "url", "placeholder": "https://"}),
    )
    types = forms.MultipleChoiceField(
        label=gettext_lazy("推送哪些事件"),
        widget=forms.CheckboxSelectMultiple,
        initial=lambda: list(webhooks.TYPES),
    )
    algorithm = forms.ChoiceField(
        label=gettext_lazy("签名算法"), choices=[(name, name) for name in signing.ALGORITHMS]
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["department"].choices = [(name, _(name)) for name in chain.rules()[1].departments]
        fields["types"].choices = [(kind, _(label)) for kind, label in webhooks.TYPES.items()]


def desk(request: HttpRequest) -> HttpResponse:
    """Subscriptions and events; a POST subscribes and shows the secret this once."""
    user = asker(request)
    if request.method != "POST":
        return _desk(request, user)
    form = SubscribeForm(request.POST)
    if not form.is_valid():
        return _desk(request, user, form=form, status=422)
    try:
        made, secret = chain.subscribe_webhook(**form.cleaned_data, by=user)
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _desk(request, user, form=form, problem=problem, status=422)
    return _desk(request, user, told=(made.number, secret))


def _desk(
    request: HttpRequest,
    user: User,
    *,
    form: forms.Form | None = None,
    problem: DoudiError | None = None,
    told: tuple[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    state = request.GET.get("status", "")
    state = state if state in STATES else ""
    shown = {
        "subscriptions": webhooks.webhooks(by=user),
        "labels": webhooks.TYPES,
        "page": Paginator(webhooks.deliveries(by=user, status=state), PAGE).get_page(request.GET.get("page")),
        "status": state,
        "states": webhooks.WebhookDelivery.Status.choices,
        "hosts": sorted(settings.WEBHOOK_HOSTS),
        "form": form or SubscribeForm(),
        "problem": problem,
        "told": told,
        "failed": status == 422,
    }
    return render(request, "upward/events.html", shown, status=status)


def act(request: HttpRequest, number: str) -> HttpResponse:
    """End a subscription, give it another secret, or try it."""
    if request.method != "POST":
        return redirect("webhooks")
    user = asker(request)
    step = request.POST.get("step", "")
    if step == "renew":
        return _desk(request, user, told=(number, webhooks.renew_secret(number, by=user)))
    if step == "end":
        webhooks.end_webhook(number, by=user)
        messages.success(request, _("订阅已停用。"))
    elif step == "try":
        webhooks.try_webhook(number, by=user)
        messages.success(request, _("已排入，下次运行 doudi worker 时发送。"))
    return redirect("webhooks")


def again(request: HttpRequest, pk: int) -> HttpResponse:
    """Try an event at once."""
    if request.method != "POST":
        return redirect("webhooks")
    webhooks.deliver_again(pk, by=asker(request))
    messages.success(request, _("已排入，下次运行 doudi worker 时发送。"))
    return redirect("webhooks")
