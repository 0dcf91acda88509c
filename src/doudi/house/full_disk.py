"""Whether what went wrong is that the disk is full, whoever noticed: Python, Arrow, DuckDB, SQLite or PostgreSQL."""

from __future__ import annotations

import errno

from doudi.engine.errors import DoudiError

_SAID = ("No space left on device", "database or disk is full", "Disk quota exceeded")
"""By strerror(3), SQLite (SQLITE_FULL) and quotas; PostgreSQL (53100) and DuckDB pass on what strerror says."""


def disk_full(fault: BaseException | None) -> DoudiError | None:
    """The refusal to be told where ``fault``, or what it came from, is a full disk; None where it is something else."""
    while fault is not None:
        if getattr(fault, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(
            said in str(fault) for said in _SAID
        ):
            return DoudiError(
                "磁盘已满，这一步没有完成；没做完的已撤回，已办好的都还在。请清理磁盘或换更大的盘（doudi doctor 说明还剩多少），"
                "再运行同一命令。",
                "The disk is full and this step was not done; what was not done is undone, what was done stands. Free space "
                "(doudi doctor says how much is left), then run the same command again.",
                code="disk_full",
                retry=True,
            )
        fault = fault.__cause__ or fault.__context__
    return None
