"""Of whom the quarantined rows of a load speak: what was not understood about somebody is never taken for 查无."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils import timezone

from doudi.contexts.accounts.services import ID_PURPOSE
from doudi.contexts.registry.models import FeedLoad, UnreadRow
from doudi.contexts.registry.originals import opened
from doudi.engine import feeds, identity
from doudi.engine.errors import DoudiError
from doudi.engine.feeds import FeedSpec, ParsedFile
from doudi.house.keyring import keyring

_NAME = "feed.unread_name"


def keep_unread(load: FeedLoad, parsed: ParsedFile) -> None:
    """Write down whom the quarantined rows name; the same load again adds nothing.

    A row that names nobody is kept under the empty name: it is about no one in particular, and the load is known to
    have been gone through.
    """
    keys = keyring()
    numbers = sorted({number for number, _name in parsed.unread if number is not None})
    names = sorted({identity.normal_name(name) for number, name in parsed.unread if number is None})
    blinds = keys.digests(numbers, purpose=ID_PURPOSE) + keys.digests(names, purpose=_NAME)
    UnreadRow.objects.bulk_create(
        [UnreadRow(load=load, blind=blind) for blind in blinds], ignore_conflicts=True, batch_size=500
    )


def unread_people(spec: FeedSpec, loads: Sequence[FeedLoad], people: Mapping[bytes, str]) -> frozenset[bytes]:
    """Those of ``people`` (blind index of the ID → name) of whom a quarantined row of the loads speaks.

    A load of before this was written down is read again from its sealed original, once; where that is not there any
    more, its quarantined rows may be about anybody.
    """
    for load in loads:
        if not _gone_through(spec, load):
            return frozenset(people)
    blind_name = {blind: name_mark(name) if name else b"" for blind, name in people.items()}
    wanted = {*people, *blind_name.values()} - {b""}
    found = {
        bytes(blind)
        for blind in UnreadRow.objects.filter(load__in=loads, blind__in=wanted).values_list(
            "blind", flat=True
        )
    }
    return frozenset(blind for blind, name in blind_name.items() if blind in found or name in found)


def unread_marks(spec: FeedSpec, load: FeedLoad) -> set[bytes] | None:
    """Every mark of a load's quarantined rows (index of the ID, or of the name without one); None: they may be about anybody."""
    if not load.counts.get("quarantined"):
        return set()
    if not _gone_through(spec, load):
        return None
    return {bytes(blind) for blind in load.unread.values_list("blind", flat=True)}


def name_mark(name: str) -> bytes:
    """How a name stands in the marks of a row without a number."""
    return keyring().digest(identity.normal_name(name), purpose=_NAME)


def _gone_through(spec: FeedSpec, load: FeedLoad) -> bool:
    """Whether it is written down whom the load's quarantined rows name; an earlier load is read again, where it is there."""
    if load.counts.get("quarantined") and not load.unread.exists():
        try:
            with opened(load) as original:
                keep_unread(load, feeds.parse_file(spec, original, today=timezone.localdate()))
        except DoudiError:
            return False
    return True
