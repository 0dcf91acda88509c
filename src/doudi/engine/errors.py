"""The one family of errors: a message for the clerk, a code for the program, and whether trying again helps."""

from __future__ import annotations


class DoudiError(Exception):
    """An act was refused or failed.

    ``zh`` and ``en`` say what is wrong, where, and what to do; ``code`` is stable for programs;
    ``retry`` tells whether the same call may succeed later.
    """

    code: str = "refused"
    retry: bool = False

    def __init__(self, zh: str, en: str, *, code: str | None = None, retry: bool | None = None) -> None:
        super().__init__(f"{zh}\n{en}")
        self.zh = zh
        self.en = en
        if code is not None:
            self.code = code
        if retry is not None:
            self.retry = retry
