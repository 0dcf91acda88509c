"""The page a courier takes along (离线送餐)."""

from __future__ import annotations

from django.utils.translation import gettext as _

from doudi.web.views.offline import OfflinePage


def _words() -> dict[str, str]:
    return {
        "wiped": _(
            "口令连续输错 10 次，手机上的内容已全部清除。已传回的不受影响，请联网重新带走路线；没有传回的请按记忆补记。"
        ),
        "wipe_unsent": _("还有 {count} 件没有传回，清除后无法找回。确定清除吗？"),
        "taking": _("正在下载路线……"),
        "taken": _("路线已存进手机，{time}。没有网络也能打开。"),
        "no_tasks": _("手机里没有路线。有网络时点“带走路线”。"),
        "waiting": _("还有 {count} 件没有传回，有网络时自动传。"),
        "trip": _("第 {n} 趟"),
        "portions": _("{n} 份"),
        "done_of": _("已办 {done} / {all}"),
        "take_round": _("我来送，出发"),
        "open_door": _("到门口了"),
        "look": _("查看"),
        "by_signature": _("凭签字领餐"),
        "call": _("打电话"),
        "now_call": _("请打电话给{label} {name}"),
        "heard": _("听到什么（可不填）"),
        "state_waiting": _("待送"),
        "state_handed": _("已交付"),
        "state_shut": _("敲门无人应"),
        "state_safe": _("已联系上，平安"),
        "kind_hand": _("交付"),
        "kind_shut": _("敲门无人应"),
        "kind_call": _("联络"),
        "result_safe": _("平安"),
        "result_no_answer": _("未接通"),
        "result_unknown": _("不知去向"),
        "outcome_already": _("此前已登记，没有重复"),
        "outcome_noted": _("他人已先登记，只记入时间线"),
        "ready": _("等待传回"),
        "raised": _("已立预警 {number}"),
        "raised_already": _("联系不上老人，已立预警，民政部门会派人上门。"),
        "nobody_left": _(
            "都联系不上。有网络时自动立预警；现在没有网络，情况紧急请直接打 110 或 120，并打电话给助餐点。"
        ),
        "need_proof": _("请输入取餐码，或请老人签字，或拍照。"),
        "code_wrong": _("这个取餐码不对，请再问一次老人。记不清就请老人签字。"),
        "photo_kept": _("照片已存进手机。"),
        "handed_kept": _("{who}：已交付，已存进手机。"),
        "shut_kept": _("已记下时间。请按顺序打电话。"),
        "sent": _("传回完成：{done} 件已收下，{left} 件还在手机里。"),
        "nothing": _("没有要传回的。"),
    }


PAGE = OfflinePage(
    name="courier",
    title=lambda: _("离线送餐"),
    script="doudi/round.js",
    template="field/round.html",
    api="/api/v1/rounds/",
    words=_words,
)
