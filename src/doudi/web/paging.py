"""Pages of a list that may be millions of rows long."""

from __future__ import annotations

from functools import cached_property
from typing import Any, cast

from django.core.paginator import Paginator
from django.db.models import QuerySet

MOST = 2_000


class LongList(Paginator):  # type: ignore[type-arg]
    """Counts no further than :data:`MOST` rows: nobody turns that many pages, and counting millions takes a second."""

    @cached_property
    def _seen(self) -> int:
        return cast(QuerySet[Any], self.object_list).order_by()[: MOST + 1].count()

    @cached_property
    def count(self) -> int:
        return min(self._seen, MOST)

    @property
    def more(self) -> bool:
        """Whether there are more rows than can be paged through."""
        return self._seen > MOST
