"""Reports upward and departments' events on the workbench."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from doudi.contexts.assistance import webhooks
from doudi.contexts.assistance.upward_models import UpwardBatch
from tests import small_county as sc
from tests.payday import COUNTY, PayOffice, open_office


@pytest.fixture
def pay(county) -> PayOffice:
    made = open_office(county)
    made.decide("H001")
    made.decide("H002")
    made.frozen()
    return made


def test_a_month_is_reported_answered_and_worked_off(pay: PayOffice, browser) -> None:
    desk = browser(pay.cast.county)
    month = {"code": "pay", "region_code": COUNTY, "month": "2024-11"}

    assert desk.post(reverse("upward"), month).status_code == 302
    batch = UpwardBatch.objects.get()
    page = reverse("upward_report", args=[batch.number])
    file = desk.post(reverse("upward_file", args=[batch.number]))
    first, second = batch.rows.values_list("key", flat=True)
    sheet = f"业务编号,校验结果,失败原因\n{first},通过,\n{second},不通过,证件号不符\n".encode()
    wrong = desk.post(
        page, {"step": "return", "file": SimpleUploadedFile("a.csv", sheet.replace(second.encode(), b"x"))}
    )
    right = desk.post(page, {"step": "return", "file": SimpleUploadedFile("a.csv", sheet)})
    shown = desk.get(page).content.decode()
    settled = desk.post(page, {"step": "settle", "key": second, "state": "dropped", "reason": "已迁出本县"})
    standing = desk.get(reverse("upward"), month).content.decode()

    assert file["Content-Disposition"].endswith('.xlsx"')
    assert wrong.status_code == 422 and "不在这次上报里" in wrong.content.decode()
    assert (right.status_code, settled.status_code) == (302, 302)
    assert "证件号不符" in shown and sc.WANG_QIANG not in shown
    assert "2 行全部办清" in standing
    assert (
        "All 2 rows are settled"
        in browser(pay.cast.county, "en").get(reverse("upward"), month).content.decode()
    )
    looked = browser(pay.cast.auditor)
    assert looked.get(page).status_code == 200
    assert looked.post(reverse("upward_file", args=[batch.number])).status_code == 403
    assert browser(pay.cast.stranger).get(page).status_code == 404


def test_a_subscription_shows_its_secret_once(pay: PayOffice, browser, settings) -> None:
    desk = browser(pay.cast.county)
    typed = {
        "department": "医保", "url": "http://127.0.0.1:9/hook", "types": list(webhooks.TYPES), "algorithm": "HMAC-SM3",
    }  # fmt: skip
    assert "DOUDI_WEBHOOK_HOSTS" in desk.get(reverse("webhooks")).content.decode()
    assert desk.post(reverse("webhooks"), typed).status_code == 422
    settings.WEBHOOK_HOSTS = frozenset({"127.0.0.1"})
    made = desk.post(reverse("webhooks"), typed)
    secret = re.search(r'<code id="secret">([^<]+)</code>', made.content.decode())
    subscription = webhooks.webhooks(by=pay.cast.county).get()

    assert secret is not None and subscription.secret == secret[1]
    assert made["Cache-Control"].startswith("max-age=0") or "no-store" in made["Cache-Control"]
    assert secret[1] not in desk.get(reverse("webhooks")).content.decode()
    act = reverse("webhook_act", args=[subscription.number])
    renewed = desk.post(act, {"step": "renew"}).content.decode()
    subscription.refresh_from_db()
    assert subscription.secret in renewed and subscription.secret != secret[1]
    assert desk.post(act, {"step": "try"}).status_code == 302
    one = webhooks.deliveries(by=pay.cast.county).get()
    webhooks.deliver_events()
    one.refresh_from_db()
    assert one.tries == 1 and one.last_error
    assert desk.post(reverse("webhook_again", args=[one.pk])).status_code == 302
    assert "试推" in browser(pay.cast.department).get(reverse("webhooks")).content.decode()
    assert browser(pay.cast.department).post(act, {"step": "end"}).status_code == 403
    assert desk.post(act, {"step": "end"}).status_code == 302
