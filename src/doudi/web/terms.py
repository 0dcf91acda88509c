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
    "remind": n("时限提醒"),
    "suspend": n("中止时限"),
    "resume": n("恢复计时"),
    "attempt": n("寻访未遇"),
    "reassign": n("改派"),
    "revisit": n("回访"),
    "wrong_data": n("告知来源部门"),
    "gone": n("疑点消失"),
    "assign": n("派核"),
    "check": n("核查"),
    "review": n("复核"),
    "recovery": n("立追缴案"),
    "field": n("手机回传"),
}

SIGNALS = {"REPORT": n("群众报告"), "MEAL_DOOR": n("送餐敲门无人应")}
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
    "propose_stop": n("提出停发建议"),
    "record_stop": n("记录停发"),
    "sign_in": n("登录"),
    "second_factor_on": n("启用动态口令"),
    "second_factor_off": n("停用动态口令"),
    "recovery_codes": n("换一批恢复码"),
    "use_recovery_code": n("使用恢复码"),
    "end_sessions": n("结束登录"),
    "note_own_person": n("登记回避人员"),
    "forget_own_person": n("撤销回避登记"),
    "own_file": n("试图打开本人或亲属档案"),
    "set_password": n("修改密码"),
    "close_account": n("停用账号"),
    "backup": n("备份"),
    "anchor_audit": n("日志锚点"),
    "restore": n("恢复"),
    "rotate_keys": n("轮换密钥"),
    "drop_key": n("销毁旧密钥"),
    "view_evidence": n("打开证据"),
    "export_rectification": n("下载整改报告"),
    "export_quarantine": n("下载退回表"),
    "export_simulation": n("导出测算"),
    "take_export": n("下载导出表"),
    "save_list": n("保存常用条件"),
    "delete_list": n("删除常用条件"),
    "enter_worker": n("登记从业人员"),
    "worker_left": n("登记离岗"),
    "keep_certificate": n("登记健康证"),
    "check_morning": n("登记晨检"),
    "enter_supplier": n("登记供货者"),
    "enter_batch": n("登记进货"),
    "use_batch": n("登记用料"),
    "take_reading": n("登记温度"),
    "keep_sample": n("登记留样"),
    "end_sample": n("登记销毁留样"),
    "make_tour": n("登记检查"),
    "mend": n("登记整改"),
    "accept_mending": n("验收整改"),
    "return_mending": n("退回整改"),
    "look_at_photo": n("查看检查照片"),
    "stop_food": n("暂停供应"),
    "lift_stop": n("恢复供应"),
    "open_incident": n("登记食品安全事件"),
    "look_at_incident": n("查看食品安全事件"),
    "report_incident": n("报告食品安全事件"),
    "close_incident": n("食品安全事件结案"),
    "trace_batch": n("追溯就餐人员"),
    "issue_rating_codes": n("发放评价码"),
    "take_word": n("收到评价或投诉"),
    "answer_word": n("答复投诉"),
    "export_query_list": n("下载查询清单"),
    "take_reply": n("部门回复入库"),
    "withdraw_authorisation": n("撤回授权"),
    "explain_difference": n("差异说明"),
    "object_to_report": n("对报告的异议"),
    "export_report": n("导出核对报告"),
    "take_report": n("收到群众报告"),
    "answer_report": n("答复群众报告"),
    "take_hotline_file": n("导入热线工单"),
    "export_hotline_answers": n("导出热线答复"),
    "send_again": n("重新发送"),
    "take_along": n("带走入户任务"),
    "take_field_file": n("收到照片或签名"),
    "take_field_visit": n("收到手机回传"),
    "look_at_field_visit": n("查看手机回传"),
    "look_at_evidence": n("查看照片或签名"),
    "settle_field_visit": n("处理手机回传"),
}
"""Audit entries that are no act of the policy table."""

SUBJECTS = {
    "household": n("户"),
    "feed": n("数据"),
    "user": n("账号"),
    "screen": n("筛查"),
    "verification": n("核对"),
    "authorisation": n("授权书"),
    "source": n("来源"),
    "report": n("线索"),
    "duplicate": n("疑似重复"),
    "batch": n("进货"),
    "sample": n("留样"),
    "tour": n("检查"),
    "incident": n("事件"),
    "word": n("评价"),
    "volunteer": n("志愿者"),
    "shift": n("班次"),
    "points": n("积分"),
    "plan": n("选址方案"),
    "push": n("外发消息"),
    "threshold": n("阈值调整"),
}

SEXES = {"男": n("男性"), "女": n("女性")}
"""女 alone is also 女儿 in the column of relations."""
