"""What a person keeps of a list: conditions under a name, for the own desk or the whole office, and the columns shown."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q, QuerySet

from doudi.contexts.accounts.services import Act, User, record, require
from doudi.contexts.registry.finding import asks_for_a_person
from doudi.contexts.registry.listing import Conditions, ListInvalid, chosen
from doudi.contexts.registry.models import ListColumns, SavedList


def saved_lists(subject: str, *, by: User) -> QuerySet[SavedList]:
    """The asker's own kept lists, and those shared by others of the same area."""
    require(by, Act.VIEW_HOUSEHOLDS)
    own = Q(owner=by.username)
    return SavedList.objects.filter(own | Q(shared=True, region_code=by.region_code), subject=subject)


@transaction.atomic
def save_list(
    name: str, *, subject: str, asked: Conditions, columns: Sequence[str], shared: bool, by: User
) -> SavedList:
    """Keep conditions under a name; the same name again takes the place of the former."""
    require(by, Act.VIEW_HOUSEHOLDS)
    name = name.strip()
    if not 1 <= len(name) <= 40:
        raise ListInvalid(
            "请给常用条件起个名字（四十字以内）。", "Name the conditions (up to 40 characters)."
        )
    if asks_for_a_person(asked.text):
        raise ListInvalid(
            "常用条件里不能存证件号或电话，请先清空查找框。",
            "Conditions that are kept hold no identity or telephone number; empty the search box first.",
        )
    kept, _new = SavedList.objects.update_or_create(
        owner=by.username,
        subject=subject,
        name=name,
        defaults={
            "region_code": by.region_code,
            "shared": shared,
            "asked": asked.to_json(),
            "columns": list(chosen(subject, columns)),
        },
    )
    record(
        by=by,
        act="save_list",
        subject=f"saved_list:{kept.pk}",
        region_code=by.region_code,
        detail={"shared": shared},
    )
    return kept


@transaction.atomic
def delete_list(pk: int, *, by: User) -> None:
    """Remove one's own kept list; one that is gone already stays gone."""
    require(by, Act.VIEW_HOUSEHOLDS)
    gone, _rows = SavedList.objects.filter(pk=pk, owner=by.username).delete()
    if gone:
        record(by=by, act="delete_list", subject=f"saved_list:{pk}", region_code=by.region_code)


def columns_of(subject: str, *, by: User) -> tuple[str, ...]:
    """The columns the asker chose for a list, or the usual ones."""
    kept = ListColumns.objects.filter(owner=by.username, subject=subject).first()
    return chosen(subject, kept.columns if kept else ())


@transaction.atomic
def choose_columns(subject: str, columns: Sequence[str], *, by: User) -> tuple[str, ...]:
    """Keep the columns that a person wants to see; a matter of the own desk, not for the log."""
    require(by, Act.VIEW_HOUSEHOLDS)
    kept = chosen(subject, columns)
    ListColumns.objects.update_or_create(owner=by.username, subject=subject, defaults={"columns": list(kept)})
    return kept
