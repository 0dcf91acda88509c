"""The page an officer takes into a village (离线入户)."""

from __future__ import annotations

from django.utils.translation import gettext as _

from doudi.contexts.monitoring import services as monitoring
from doudi.web.views.offline import OfflinePage


def _words() -> dict[str, str]:
    return {
        "wiped": _(
            "口令连续输错 10 次，手机上的内容已全部清除。服务器上的预警不受影响，请联网重新带走任务。"
        ),
        "wipe_unsent": _("还有 {count} 次入户没有传回，清除后无法找回。确定清除吗？"),
        "taking": _("正在下载任务……"),
        "taken": _("已带走 {count} 户，{time}。"),
        "no_tasks": _("手机里没有任务。有网络时点“带走任务”。"),
        "due": _("时限 {day}"),
        "people": _("家庭成员"),
        "years": _("{age} 岁"),
        "call": _("打电话"),
        "fill": _("填写入户"),
        "go_on": _("继续填写"),
        "draft": _("草稿"),
        "ready": _("等待传回"),
        "recorded": _("已传回并记录"),
        "conflict": _("已传回，与他人办理冲突，待人工处理"),
        "duplicate": _("已传回，疑似重复，待人工处理"),
        "noted": _("已传回，记入时间线"),
        "set_aside": _("已传回，已搁置"),
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
        "photo_many": _("最多 {count} 张照片。"),
        "remove": _("删除"),
        "photo": _("照片"),
        "signature": _("签名"),
        "sent": _("传回完成：{done} 次已收下，{left} 次还在手机里。"),
        "nothing": _("没有要传回的入户。"),
        "no_place": _("没有取得位置，可以不填。"),
        "place": _("已取得位置，误差约 {metres} 米。"),
        "discard_sure": _("删除这份草稿吗？"),
    }


PAGE = OfflinePage(
    name="field",
    title=lambda: _("兜底入户"),
    script="doudi/field.js",
    template="field/shell.html",
    api="/api/v1/field/",
    words=_words,
    shown=lambda: {"consent_ways": monitoring.CONSENT_WAYS},
)
