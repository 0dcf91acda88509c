"""Unknown is not no: the words that tell apart why a value is not there.

They stand unchanged from the department's file to the letter to the family (民发 practice of 核对:
未查, 查无 and 失败 are three values, handbook 03 §3.5).
"""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """What is known of one source or one value."""

    KNOWN = "known"
    NO_RECORD = "no_record"
    NOT_ASKED = "not_asked"
    NOT_ARRIVED = "not_arrived"
    FAILED = "failed"
    UNAUTHORISED = "unauthorised"

    @property
    def label(self) -> str:
        """The Chinese term, as it is printed."""
        return _LABELS[self]

    @property
    def decided(self) -> bool:
        """True where a rule may rely on the value: known, or a source that answered 查无."""
        return self in (Status.KNOWN, Status.NO_RECORD)


_LABELS = {
    Status.KNOWN: "已知",
    Status.NO_RECORD: "查无",
    Status.NOT_ASKED: "未查",
    Status.NOT_ARRIVED: "未到",
    Status.FAILED: "失败",
    Status.UNAUTHORISED: "未授权",
}
