"""Pictures of what a project does (活动照片): sealed, without place and time, shown to everybody with the consent of who is in them.

慈善法 第八十二条、民法典 第一千零一十九条: nobody's likeness is published without consent. A consent that is withdrawn
takes the picture down at once and deletes it; the row stays and says when and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, may, record, require, take_turn
from doudi.contexts.charity.errors import StepRefused
from doudi.contexts.charity.funds import FundNotFound, reasoned
from doudi.contexts.charity.grants import public_words
from doudi.contexts.charity.openness import public_projects
from doudi.contexts.charity.organisation_models import ActivityPhoto, Project
from doudi.contexts.charity.projects import project
from doudi.engine import pictures
from doudi.house.attachments import LIMIT, declare_single, keep_single, open_single, remove_single

__all__ = ["ActivityPhoto", "add_photo", "photos_of", "public_photo", "take_down_photo"]

MOST_PHOTOS = 60
"""Of one project: a page that everybody opens stays one that a telephone can load."""
_PICTURE = declare_single("charity.activity")
_Who = ActivityPhoto.Who


@transaction.atomic
def add_photo(
    number: str, *, picture: bytes, taken_on: date, caption: str, who: str, consent: str = "", by: User
) -> ActivityPhoto:
    """Put up a picture of an activity of the own body's project; ``consent`` says where the papers of those in it are.

    Raises :class:`StepRefused` and :class:`PictureRefused`.
    """
    take_turn()
    found = project(number, by=by)
    require(by, Act.KEEP_PROJECTS, organisation=found.organisation.code)
    if not public_projects().filter(pk=found.pk).exists():
        raise StepRefused(
            "公开页只有慈善组织的项目，成员单位的项目不放照片。",
            "Only projects of charities stand on the public pages.",
            code="not_public",
        )
    if not found.starts_on <= taken_on <= timezone.localdate():
        raise StepRefused(
            "拍摄日期应在项目开始之后、今天之前。", "The day lies between the project's start and today."
        )
    if who not in _Who.values:
        raise StepRefused("请选择画面中的人是否看得出是谁。", "Say whether people can be recognised.")
    if who == _Who.AGREED and len(consent.strip()) < 4:
        raise StepRefused(
            "画面中看得出是谁的，请写明书面同意（未成年人由监护人签）存在哪里。",
            "Say where the written consents of those in the picture are kept.",
            code="no_consent",
        )
    if len(picture) > LIMIT:
        raise StepRefused(
            f"照片超过 {LIMIT >> 20} MB，请降低分辨率。", f"The picture has more than {LIMIT >> 20} MB."
        )
    if found.photos.filter(down_on=None).count() >= MOST_PHOTOS:
        raise StepRefused(
            f"一个项目最多 {MOST_PHOTOS} 张照片，请先撤下旧的。",
            f"At most {MOST_PHOTOS} pictures of a project.",
        )
    clean = pictures.strip(picture)
    made = ActivityPhoto.objects.create(
        project=found,
        taken_on=taken_on,
        caption=public_words(caption, "说明")[:200],
        who=who,
        consent=consent.strip()[:200],
        stored=keep_single(clean, purpose=_PICTURE),
        added_by=by.username,
    )
    _log(made, by, Act.KEEP_PROJECTS, "photo")
    return made


@transaction.atomic
def take_down_photo(pk: int, *, why: str, by: User) -> ActivityPhoto:
    """Take a picture down and delete it: a consent was withdrawn, or the county finds that it should not stand there."""
    take_turn()
    made = ActivityPhoto.objects.select_related("project__organisation").filter(pk=pk).first()
    if made is None:
        raise FundNotFound("没有这张照片。", "No such picture.")
    body = project(made.project.number, by=by).organisation
    act = Act.KEEP_PROJECTS if may(by, Act.KEEP_PROJECTS) else Act.REVIEW_IDEA
    require(by, act, region_code=body.region_code, organisation=body.code)
    if made.down_on is not None:
        return made
    made.down_why, made.down_on, made.down_by = reasoned(why)[:200], timezone.localdate(), by.username
    made.save(update_fields=["down_why", "down_on", "down_by"])
    transaction.on_commit(lambda: remove_single(made.stored))
    _log(made, by, act, "photo_down")
    return made


def photos_of(found: Project) -> Sequence[ActivityPhoto]:
    """The pictures of a project that stand, the latest first."""
    return list(found.photos.filter(down_on=None))


def public_photo(pk: int) -> tuple[bytes, str]:
    """A picture and its media type, for everybody; one that was taken down is not found."""
    made = ActivityPhoto.objects.filter(pk=pk, down_on=None, project__in=public_projects()).first()
    if made is None:
        raise FundNotFound("没有这张照片，或已经撤下。", "No such picture, or it was taken down.")
    content = open_single(made.stored, purpose=_PICTURE)
    return content, pictures.media_type(content)


def _log(made: ActivityPhoto, by: User, act: Act, step: str) -> None:
    record(
        by=by,
        act=act,
        subject=f"project:{made.project.number}",
        region_code=made.project.organisation.region_code,
        reason=made.down_why,
        detail={"step": step, "photo": made.pk, "who": made.who},
    )
