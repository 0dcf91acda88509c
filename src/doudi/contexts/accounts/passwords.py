"""What a password must be besides long and uncommon (口令复杂度, GB/T 22239 8.1.4.1)."""

from __future__ import annotations

from django.core.exceptions import ValidationError

_LEAST = 2


class KindsValidator:
    """A password mixes kinds of signs: letters, digits, others; Chinese counts as another."""

    def validate(self, password: str, user: object = None) -> None:
        kinds = {
            "letter" if sign.isascii() and sign.isalpha() else "digit" if sign.isdigit() else "other"
            for sign in password
        }
        if len(kinds) < _LEAST or len(set(password)) < 5:
            raise ValidationError(
                "密码要混用字母、数字、符号中的至少两种，且不能只是几个字符的重复。", code="password_kinds"
            )

    def get_help_text(self) -> str:
        return "混用字母、数字、符号中的至少两种。"
