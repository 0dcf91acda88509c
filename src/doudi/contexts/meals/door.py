"""The public's door of the meal network: every use counts, a refused one too, or codes could be tried out."""

from __future__ import annotations

from django.db import transaction

from doudi.contexts.accounts.services import take_turn
from doudi.contexts.monitoring import services as monitoring


@transaction.atomic
def knock(what: str, who: str, most: int, *, minutes: int) -> None:
    """Count one use in a transaction of its own; beyond ``most`` within ``minutes`` it is refused (``too_many``)."""
    take_turn()
    monitoring.let_through(what, who, most, minutes=minutes)
