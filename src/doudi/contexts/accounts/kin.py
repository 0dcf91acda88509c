"""Keeping away from one's own file and that of kin (回避): who an officer is, and who the kin are.

In come identity numbers, of which only the blind index and the last four digits stay; out comes whether a file is an
own one. Handbook 03 §3.7: reading one's own or kin's file is blocked and flagged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar, cast

from django.db import transaction
from django.db.models import QuerySet

from doudi.contexts.accounts.acts import Act
from doudi.contexts.accounts.audit import record
from doudi.contexts.accounts.models import OwnPerson, User
from doudi.contexts.accounts.policies import is_office_hand, require
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.house.keyring import keyring

_Read = TypeVar("_Read")
ID_PURPOSE = "id"
"""The purpose of the blind index of identity numbers, the same in every context."""
SELF = "本人"
RELATIONS = (SELF, "配偶", "父母", "子女", "兄弟姐妹", "祖父母外祖父母", "孙子女外孙子女", "姻亲", "其他亲属")


class OwnFile(DoudiError):
    """The file is the officer's own or that of kin: somebody else has to work on it."""

    code = "own_file"

    def __init__(self, subject: str) -> None:
        super().__init__(
            "这是您本人或已登记亲属的档案，按回避规定不能查看和办理，本次访问已记录。请交由其他人员办理。",
            "This is your own file or that of your kin; you may not see or work on it. This attempt is on record. "
            "Ask somebody else.",
        )
        self.subject = subject


@transaction.atomic
def note_own_person(user: User, *, id_number: str, relation: str, by: User) -> OwnPerson:
    """Note who the officer is, or who is kin (登记本人和亲属); the number itself is not kept."""
    if not is_office_hand(by):
        require(by, Act.MANAGE_USERS, region_code=user.region_code)
    if relation not in RELATIONS:
        raise DoudiError("请选择关系。", "Choose a relation.", code="relation_unknown")
    reading = identity.read_id(id_number)
    if reading.number is None:
        raise DoudiError(
            "证件号不是有效的 18 位身份证号，请核对。", "That is no valid identity number.", code="id_invalid"
        )
    noted, made = OwnPerson.objects.get_or_create(
        user=user,
        id_blind=keyring().digest(reading.number, purpose=ID_PURPOSE),
        defaults={"relation": relation, "id_tail": reading.number[-4:], "noted_by": by.username},
    )
    if made:
        record(
            by=by,
            act="note_own_person",
            subject=f"user:{user.username}",
            region_code=user.region_code,
            detail={"relation": relation},
        )
    return noted


@transaction.atomic
def forget_own_person(pk: int, *, by: User) -> None:
    """Take a person noted by mistake off the list (撤销登记)."""
    found = OwnPerson.objects.select_related("user").filter(pk=pk).first()
    if found is None:
        raise DoudiError("没有这条登记。", "No such entry.", code="own_person_not_found")
    require(by, Act.MANAGE_USERS, region_code=found.user.region_code)
    record(
        by=by,
        act="forget_own_person",
        subject=f"user:{found.user.username}",
        region_code=found.user.region_code,
        detail={"relation": found.relation},
    )
    found.delete()


def own_people(user: User, *, by: User) -> QuerySet[OwnPerson]:
    """Who is noted as the officer or as kin."""
    require(by, Act.MANAGE_USERS, region_code=user.region_code)
    return OwnPerson.objects.filter(user=user)


def own_blinds(by: User) -> set[bytes]:
    """The blind indexes of the people whose files ``by`` must not open."""
    if is_office_hand(by):
        return set()
    return once_a_request(by, "own_blinds", lambda: _own_blinds(by))


def _own_blinds(by: User) -> set[bytes]:
    noted = OwnPerson.objects.filter(user_id=by.pk).order_by().values_list("id_blind", flat=True)
    return {bytes(blind) for blind in noted}


def once_a_request(by: User, what: str, read: Callable[[], _Read]) -> _Read:
    """What ``read`` gives, read once for the request ``by`` came with: a page asks for it before every list."""
    if by.of_request is None:
        return read()
    if what not in by.of_request:
        by.of_request[what] = read()
    return cast(_Read, by.of_request[what])


def refuse_own(blinds: Iterable[bytes | memoryview], *, subject: str, by: User) -> None:
    """Raise :class:`OwnFile` where one of the people of a file is the officer or kin."""
    own = own_blinds(by)
    if own and own & {bytes(blind) for blind in blinds}:
        raise OwnFile(subject)


def flag_own_file(problem: OwnFile, *, by: User) -> None:
    """Put the attempt into the log; called by the faces, after the refused act was rolled back."""
    record(by=by, act="own_file", subject=problem.subject, region_code=by.region_code)
