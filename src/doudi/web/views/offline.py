"""Pages that open without a signal (离线页面): their shell, their service worker and their manifest.

None of the three says anything about anybody: what is personal comes through the API and lies encrypted on the
telephone (``static/doudi/field-store.js``). So they are for everybody, and the shell opens without a signal and
without a session.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

import doudi
from doudi.web.guard import Entry, Route

_SHARED = (
    "doudi/field-store.js",
    "doudi/pad.js",
    "doudi/phone.js",
    "doudi/field.css",
    "doudi/icon-192.png",
    "doudi/icon-512.png",
)
_HERE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class OfflinePage:
    """A page for a telephone out of reach: ``name`` is its route and its address, ``script`` and ``template`` its own.

    ``words`` are what its script says beside the words that all of them share, ``shown`` what its template needs.
    """

    name: str
    title: Callable[[], str]
    script: str
    template: str
    api: str
    words: Callable[[], dict[str, str]]
    shown: Callable[[], dict[str, Any]] = dict

    def routes(self) -> tuple[Route, ...]:
        """The three addresses of the page, open to everybody."""
        return (
            Route(f"{self.name}/", require_safe(self.shell), self.name, Entry.PUBLIC),
            Route(f"{self.name}/sw.js", require_safe(self.worker), f"{self.name}_worker", Entry.PUBLIC),
            Route(
                f"{self.name}/manifest.webmanifest",
                require_safe(self.manifest),
                f"{self.name}_manifest",
                Entry.PUBLIC,
            ),
        )

    def shell(self, request: HttpRequest) -> HttpResponse:
        """The page itself, the same for everybody."""
        shown = {
            "title": self.title(),
            "manifest": reverse(f"{self.name}_manifest"),
            "script": static(self.script),
            "words": shared_words() | self.words(),
            "addresses": self._addresses(),
            **self.shown(),
        }
        return _not_kept(render(request, self.template, shown))

    def worker(self, request: HttpRequest) -> HttpResponse:
        """The service worker, at the root of its scope; a new release changes its text and so brings the new shell."""
        shown = {
            "name": self.name,
            "version": _version(self.script, self.template),
            "shell": reverse(self.name),
            "parts": [static(part) for part in (*_SHARED, self.script)],
        }
        response = render(request, "field/sw.js", shown, content_type="text/javascript; charset=utf-8")
        response["Service-Worker-Allowed"] = reverse(self.name)
        return _not_kept(response)

    def manifest(self, request: HttpRequest) -> HttpResponse:
        """What makes the page installable."""
        address = reverse(self.name)
        told = {
            "name": self.title(),
            "short_name": self.title(),
            "start_url": address,
            "scope": address,
            "display": "standalone",
            "background_color": "#f3f5f6",
            "theme_color": "#0f4c5c",
            "icons": [
                {"src": static(f"doudi/icon-{size}.png"), "sizes": f"{size}x{size}", "type": "image/png"}
                for size in (192, 512)
            ],
        }
        return _not_kept(
            JsonResponse(
                told,
                json_dumps_params={"ensure_ascii": False},
                content_type="application/manifest+json",
            )
        )

    def _addresses(self) -> dict[str, str]:
        return {
            "worker": reverse(f"{self.name}_worker"),
            "scope": reverse(self.name),
            "login": f"{reverse('login')}?next={reverse(self.name)}",
            "api": self.api,
        }


def _not_kept(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-cache"
    return response


@cache
def _version(script: str, template: str) -> str:
    """The digest of what the shell is made of."""
    digest = hashlib.sha256(doudi.__version__.encode())
    files = [_HERE / "static" / part for part in (*_SHARED, script)]
    templates = [_HERE / "templates" / name for name in (template, "field/frame.html", "field/sw.js")]
    for path in (*files, *templates, *sorted((_HERE / "views").rglob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def shared_words() -> dict[str, str]:
    """What the scripts of all these pages say, in the language of the page."""
    return {
        "insecure": _("这个网址不是 https，手机不能加密保存，离线页面不可用。请联系系统管理员。"),
        "pin_short": _("口令至少 6 位。"),
        "pin_plain": _("口令太容易猜，请不要用同一个数字或连续的数字。"),
        "pin_differs": _("两次输入的口令不一样。"),
        "pin_wrong": _("口令不对。还可以试 {left} 次，之后手机上的内容会全部清除。"),
        "pin_wait": _("口令错得太多，请 {seconds} 秒后再试。"),
        "wipe_sure": _("确定清除手机上的全部内容吗？"),
        "online": _("有网络"),
        "offline": _("没有网络，填写的内容保存在手机里"),
        "not_taken": _("下载任务没有成功：{why}"),
        "no_network": _("没有网络"),
        "login": _("登录已过期。手机里的内容都在，登录后继续。"),
        "server": _("服务器暂时不能处理，请稍后再试。"),
        "sending": _("正在传回"),
        "refused": _("没有收下，请修改后再传"),
        "photo_bad": _("这张图片读不了，请重拍。"),
        "gone": _("手机浏览器不支持离线保存，请换用较新的浏览器。"),
        "other_account": _("手机里是账号 {account} 的任务。请用这个账号，或先清除手机内容。"),
    }
