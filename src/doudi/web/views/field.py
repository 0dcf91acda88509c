"""The page an officer takes into a village (离线入户): its shell, its service worker and its manifest.

None of the three says anything about anybody: what is personal comes through the API and lies encrypted on the
telephone (``static/doudi/field-store.js``). So they are for everybody, and the shell opens without a signal and
without a session.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

import doudi
from doudi.contexts.monitoring import services as monitoring

_PARTS = (
    "doudi/field-store.js",
    "doudi/field.js",
    "doudi/field.css",
    "doudi/icon-192.png",
    "doudi/icon-512.png",
)
_HERE = Path(__file__).resolve().parents[1]


@require_safe
def shell(request: HttpRequest) -> HttpResponse:
    """The page itself, the same for everybody."""
    response = render(
        request,
        "field/shell.html",
        {"words": _words(), "addresses": _addresses(), "consent_ways": monitoring.CONSENT_WAYS},
    )
    response["Cache-Control"] = "no-cache"
    return response


@require_safe
def worker(request: HttpRequest) -> HttpResponse:
    """The service worker, at the root of its scope; a new release changes its text and so brings the new shell."""
    shown = {"version": _version(), "shell": reverse("field"), "parts": [static(part) for part in _PARTS]}
    response = render(request, "field/sw.js", shown, content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    response["Service-Worker-Allowed"] = reverse("field")
    return response


@require_safe
def manifest(request: HttpRequest) -> HttpResponse:
    """What makes the page installable."""
    response = JsonResponse(
        {
            "name": _("兜底入户"),
            "short_name": _("兜底入户"),
            "start_url": reverse("field"),
            "scope": reverse("field"),
            "display": "standalone",
            "background_color": "#f3f5f6",
            "theme_color": "#0f4c5c",
            "icons": [
                {"src": static(f"doudi/icon-{size}.png"), "sizes": f"{size}x{size}", "type": "image/png"}
                for size in (192, 512)
            ],
        },
        json_dumps_params={"ensure_ascii": False},
        content_type="application/manifest+json",
    )
    response["Cache-Control"] = "no-cache"
    return response


@lru_cache(maxsize=1)
def _version() -> str:
    """The digest of what the shell is made of."""
    digest = hashlib.sha256(doudi.__version__.encode())
    files = [_HERE / "static" / part for part in _PARTS]
    for path in (
        *files,
        _HERE / "templates/field/shell.html",
        _HERE / "templates/field/sw.js",
        Path(__file__),
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _addresses() -> dict[str, str]:
    return {
        "worker": reverse("field_worker"),
        "scope": reverse("field"),
        "login": f"{reverse('login')}?next={reverse('field')}",
        "api": "/api/v1/field/",
    }


def _words() -> dict[str, Any]:
    """What the script says, in the language of the page."""
    return {
        "insecure": _("这个网址不是 https，手机不能加密保存，离线入户不可用。请联系系统管理员。"),
        "pin_short": _("口令至少 6 位。"),
        "pin_plain": _("口令太容易猜，请不要用同一个数字或连续的数字。"),
        "pin_differs": _("两次输入的口令不一样。"),
        "pin_wrong": _("口令不对。还可以试 {left} 次，之后手机上的内容会全部清除。"),
        "pin_wait": _("口令错得太多，请 {seconds} 秒后再试。"),
        "wiped": _(
            "口令连续输错 10 次，手机上的内容已全部清除。服务器上的预警不受影响，请联网重新带走任务。"
        ),
        "wipe_sure": _("确定清除手机上的全部内容吗？"),
        "wipe_unsent": _("还有 {count} 次入户没有传回，清除后无法找回。确定清除吗？"),
        "online": _("有网络"),
        "offline": _("没有网络，填写的内容保存在手机里"),
        "taking": _("正在下载任务……"),
        "taken": _("已带走 {count} 户，{time}。"),
        "no_tasks": _("手机里没有任务。有网络时点“带走任务”。"),
        "not_taken": _("下载任务没有成功：{why}"),
        "no_network": _("没有网络"),
        "login": _("登录已过期。手机里的内容都在，登录后继续。"),
        "server": _("服务器暂时不能处理，请稍后再试。"),
        "due": _("时限 {day}"),
        "people": _("家庭成员"),
        "years": _("{age} 岁"),
        "call": _("打电话"),
        "fill": _("填写入户"),
        "go_on": _("继续填写"),
        "draft": _("草稿"),
        "ready": _("等待传回"),
        "sending": _("正在传回"),
        "recorded": _("已传回并记录"),
        "conflict": _("已传回，与他人办理冲突，待人工处理"),
        "duplicate": _("已传回，疑似重复，待人工处理"),
        "noted": _("已传回，记入时间线"),
        "set_aside": _("已传回，已搁置"),
        "refused": _("没有收下，请修改后再传"),
        "saved": _("已保存在手机里 {time}"),
        "need_day": _("请填写入户日期，不能晚于今天。"),
        "need_visitors": _("“{result}”须由 {count} 名入户人员共同核实，请填写姓名。"),
        "need_result": _("请选择核实结果。"),
        "need_finding": _("请写明核实情况，至少 {count} 个字。"),
        "need_consent": _("转介慈善须先征得本人同意，请勾选。"),
        "need_signature": _("“{result}”须有本人签名，或写明两名见证人。"),
        "need_tries": _("“{result}”须在不同的 {count} 天寻访，现有 {have} 天。请先逐次填“寻访未遇”。"),
        "attempt": _("寻访未遇（这次没有找到人）"),
        "signature_or_witnesses": _("须签名或两人见证"),
        "two_visitors": _("须两人入户"),
        "with_ground": _("须写明理由"),
        "photo_bad": _("这张图片读不了，请重拍。"),
        "photo_many": _("最多 {count} 张照片。"),
        "remove": _("删除"),
        "photo": _("照片"),
        "signature": _("签名"),
        "sent": _("传回完成：{done} 次已收下，{left} 次还在手机里。"),
        "nothing": _("没有要传回的入户。"),
        "no_place": _("没有取得位置，可以不填。"),
        "place": _("已取得位置，误差约 {metres} 米。"),
        "gone": _("手机浏览器不支持离线保存，请换用较新的浏览器。"),
        "other_account": _("手机里是账号 {account} 的任务。请用这个账号，或先清除手机内容。"),
        "discard_sure": _("删除这份草稿吗？"),
    }
