"""What is due without anybody asking (到期任务): one entry per job, each safe to run twice and at two places at once.

Messages go out last, so that what the other jobs had to say leaves with the same look.
"""

from __future__ import annotations

from collections.abc import Callable

from doudi.chain import batches, caring, linkage, packs, paying, verifying
from doudi.contexts.accounts import services as accounts
from doudi.contexts.assistance import services as assistance
from doudi.contexts.assistance import webhooks
from doudi.contexts.charity import giving
from doudi.contexts.meals import safety, volunteering
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry

JOBS: dict[str, tuple[str, Callable[[], int]]] = {
    "disclosures_told": ("信息公开提醒", lambda: giving.owe_and_remind(packs.giving_rules())),
    "reminders": ("提醒", lambda: monitoring.run_clocks(packs.rules()[1])),
    "clocks_resumed": ("申请中止期满", lambda: assistance.resume_where_over(by=accounts.system_user())),
    "decisions_ended": ("认定有效期满", lambda: assistance.end_expired(by=accounts.system_user())),
    "transfers_told": ("转办督办", assistance.remind_transfers),
    "samples_told": ("抽查入户超期", assistance.remind_samples),
    "care_ended": ("服务单到期", caring.end_due_care),
    "exports_dropped": ("清除过期导出文件", lambda: registry.drop_expired_exports(packs.rules()[1].exports)),
    "sessions_dropped": ("清除过期登录", accounts.drop_expired_sessions),
    **linkage.DUE,
    "follow_ups": ("安排随访", paying.plan_follow_ups),
    "reviews": ("到期复查", paying.open_reviews),
    "anchors_made": ("日志锚点", lambda: accounts.anchor_if_due(by=accounts.system_user())),
    "food_reports_late": ("食品安全事件超时未报", safety.remind_of_reports),
    "points_expired": ("到期积分", lambda: volunteering.expire_points(by=accounts.system_user())),
    "sources_asked": ("直连查询", verifying.ask_connected_sources),
    "rechecks_swept": ("整批复查", batches.sweep_waiting),
    "security_raised": ("安全预警", verifying.watch_security),
    "raw_erased": ("到期删除原始记录", verifying.erase_raw),
    "events_sent": ("部门事件推送", webhooks.deliver_events),
    "entrusted_carried": ("异地协查往来", verifying.carry_every_entrusted),
}
"""By the key of its count: the words before it, and the service that does it and says how many."""

JOB_LABELS = {
    **{key: label for key, (label, _job) in JOBS.items()},
    "sent": "外发成功",
    "failed": "失败待重试",
    "given_up": "停止",
}


def run_jobs() -> dict[str, int]:
    """Do everything that is due and say how much of each there was."""
    return {**{key: job() for key, (_label, job) in JOBS.items()}, **monitoring.deliver()}
