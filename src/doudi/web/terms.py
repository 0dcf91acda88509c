"""Words for codes that the house itself fixes; what a county's pack names is the pack's to say."""

from __future__ import annotations

from django.utils.translation import gettext_noop as n

LEVELS = {"red": n("红"), "orange": n("橙"), "yellow": n("黄"), "blue": n("蓝"), "none": n("无")}

CATEGORY_NAMES = {
    "TK": n("特困"),
    "DB": n("低保"),
    "BY": n("低保边缘"),
    "GX": n("刚性支出困难"),
    "NONE": n("不在类别内"),
    "UNKNOWN": n("待核"),
    "": n("无"),
}

CHANGES = {"same": n("与在册一致"), "up": n("可能应上调"), "down": n("可能应下调"), "unknown": n("待核")}

EVENTS = {
    "open": n("发现"),
    "update": n("筛查更新"),
    "clear": n("信号消失"),
    "dispatch": n("派单"),
    "visit": n("入户核实"),
    "measure": n("给予措施"),
    "referral": n("推送部门"),
    "answer": n("部门答复"),
    "close": n("办结"),
}

SIGNALS = {"REPORT": n("群众报告")}
"""Signals that come from people and not from an indicator of the pack."""

REPORT_STEPS = {
    "received": n("已收到，正在分办"),
    "waiting": n("已受理，将派人了解"),
    "sent": n("已派人入户了解"),
    "helping": n("已了解，正在办理"),
    "done": n("已办结"),
    "answered": n("已答复"),
}

ACTS = {
    "export_quarantine": n("下载退回表"),
    "export_simulation": n("导出测算"),
    "take_report": n("收到群众报告"),
    "answer_report": n("答复群众报告"),
    "take_hotline_file": n("导入热线工单"),
    "export_hotline_answers": n("导出热线答复"),
}
"""Audit entries that are no act of the policy table."""

SUBJECTS = {
    "household": n("户"),
    "feed": n("数据"),
    "user": n("账号"),
    "screen": n("筛查"),
    "report": n("线索"),
}

SEXES = {"男": n("男性"), "女": n("女性")}
"""女 alone is also 女儿 in the column of relations."""
