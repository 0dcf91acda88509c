"""Pictures of what a project does: shown to everybody with consent, rid of place and time, gone when the consent is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed
from doudi.contexts.charity import activities, incubation
from doudi.contexts.charity import services as charity
from doudi.engine.errors import DoudiError
from doudi.engine.pictures import PictureRefused
from doudi.house.paths import home
from tests.engine.test_pictures import END, JFIF, SCAN, TABLE, segment
from tests.giving import House, open_house

TODAY = timezone.localdate
JPEG = b"\xff\xd8" + JFIF + segment(0xE1, b"Exif\x00\x00GPS 26.5 106.7") + TABLE + SCAN + END


@pytest.fixture
def house(county) -> House:
    return open_house(county)


@pytest.fixture
def project(house: House) -> charity.Project:
    return charity.open_project(
        name="邻里餐桌", kinds=["CARE"], starts_on=TODAY() - timedelta(days=30), by=house.keeper
    )


def add(house: House, project: charity.Project, **more) -> activities.ActivityPhoto:
    told = {
        "picture": JPEG, "taken_on": TODAY() - timedelta(days=1), "caption": "志愿者在村委会小灶备餐",
        "who": "nobody", "by": house.keeper, **more,
    }  # fmt: skip
    return activities.add_photo(project.number, **told)


def test_everybody_sees_the_picture_without_the_place_where_it_was_taken(house, project) -> None:
    made = add(house, project)

    page = Client().get(reverse("charity_project", args=[project.number])).content.decode()
    shown = Client().get(reverse("charity_photo", args=[made.pk]))

    assert "志愿者在村委会小灶备餐" in page and "看不出是谁" in page
    assert shown["Content-Type"] == "image/jpeg" and shown.content.startswith(b"\xff\xd8\xff")
    assert b"Exif" in JPEG and b"Exif" not in shown.content
    assert b"\xff\xd8\xff" not in (home().evidence / made.stored).read_bytes()[:64]


def test_who_can_be_recognised_has_agreed_in_writing(house, project) -> None:
    with pytest.raises(DoudiError) as refused:
        add(house, project, who="agreed")
    assert refused.value.code == "no_consent"

    add(house, project, who="agreed", consent="同意书存慈善会 2026 年第 3 盒")

    page = Client().get(reverse("charity_project", args=[project.number])).content.decode()
    assert "画面中的人都书面同意公开" in page and "第 3 盒" not in page


def test_a_withdrawn_consent_takes_the_picture_down_and_deletes_it(
    house, project, django_capture_on_commit_callbacks
) -> None:
    made = add(house, project, who="agreed", consent="同意书存慈善会")
    kept = home().evidence / made.stored
    assert kept.exists()

    with django_capture_on_commit_callbacks(execute=True):
        activities.take_down_photo(made.pk, why="本人撤回同意", by=house.keeper)
        activities.take_down_photo(made.pk, why="再点一次", by=house.keeper)

    assert not kept.exists()
    assert Client().get(reverse("charity_photo", args=[made.pk])).status_code == 404
    assert "活动照片" not in Client().get(reverse("charity_project", args=[project.number])).content.decode()
    made.refresh_from_db()
    assert made.down_why == "本人撤回同意"


def test_the_county_may_take_a_picture_down_and_a_township_may_not(house, project) -> None:
    made = add(house, project)

    with pytest.raises(DoudiError):
        activities.take_down_photo(made.pk, why="不应公开", by=house.cast.township)
    with pytest.raises(NotAllowed):
        add(house, project, by=house.cast.county)
    activities.take_down_photo(made.pk, why="画面中有门牌", by=house.cast.county)

    assert activities.photos_of(project) == []


def test_what_is_no_picture_or_names_somebody_is_refused(house, project) -> None:
    for wrong, code in (
        ({"picture": b"%PDF-1.4"}, "picture_refused"),
        ({"caption": "帮扶 529900199001011234 的家庭"}, "identity_in_text"),
        ({"taken_on": TODAY() + timedelta(days=1)}, "step_refused"),
        ({"taken_on": TODAY() - timedelta(days=31)}, "step_refused"),
        ({"who": ""}, "step_refused"),
    ):
        with pytest.raises((DoudiError, PictureRefused)) as refused:
            add(house, project, **wrong)
        assert refused.value.code == code
    assert activities.photos_of(project) == []


def test_a_brand_stands_with_its_results_and_pictures_and_the_body_adds_them_on_its_page(
    house, browser
) -> None:
    charity.Organisation.objects.update(kind="hub")
    idea = incubation.bring_idea(
        title="邻里餐桌", problem="村里独居老人多，做饭不便。", approach="在村委会开小灶，邻里轮流帮厨。", kinds=["CARE"],
        groups=["ELDER"], budget_fen=2_000_000, rules=chain.giving_rules(), by=house.keeper,
    )  # fmt: skip
    incubation.review_idea(idea.number, verdict="ready", note="可以启动", by=house.cast.county)
    launched = incubation.launch_idea(idea.number, starts_on=TODAY(), ends_on=None, by=house.keeper)
    incubation.make_brand(idea.number, results="一年服务老人二百名。", by=house.cast.county)
    number = launched.project.number
    desk = browser(house.keeper)
    step = reverse("project_step", args=[number, "photo"])
    typed = {"photo-taken_on": f"{TODAY()}", "photo-caption": "重阳节在村里聚餐", "photo-who": "nobody"}

    refused = desk.post(step, {**typed, "photo-picture": SimpleUploadedFile("a.txt", b"no picture")})
    sent = desk.post(step, {**typed, "photo-picture": SimpleUploadedFile("a.jpg", JPEG)})

    assert refused.status_code == 422 and sent.status_code == 302
    page = Client().get(reverse("charity_project", args=[number])).content.decode()
    assert "一年服务老人二百名" in page and "重阳节在村里聚餐" in page
    (made,) = activities.photos_of(launched.project)
    county = browser(house.cast.county)
    down = county.post(
        reverse("project_step", args=[number, "photo_down"]),
        {"photo_down-photo": made.pk, "photo_down-why": "本人撤回同意"},
    )
    assert down.status_code == 302 and activities.photos_of(launched.project) == []
