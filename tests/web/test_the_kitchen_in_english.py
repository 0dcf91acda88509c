"""Food safety, volunteers and siting in English: Chinese stands only where it is marked as such."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone, translation

from doudi import chain
from doudi.contexts.meals import safety, volunteering
from doudi.contexts.meals.models import (
    FoodSample,
    Incident,
    Mending,
    PointMovement,
    PublicWord,
    Redemption,
    Service,
    SitePlan,
    VolunteerRecord,
)
from doudi.contexts.meals.plan_papers import STATUS
from doudi.web.terms import ACTS
from tests.a_kitchen import open_kitchen
from tests.contexts.test_a_volunteers_month import id_of
from tests.web.test_the_siting_workbench import ask

CHINESE = re.compile(r"[\u3400-\u9fff]")


def left_over(page: str) -> list[str]:
    """Lines of a page with Chinese outside of what is marked zh-Hans, options, choices and the account's name."""
    text = re.sub(r"<script.*?</script>|<title>.*?</title>", "", page, flags=re.S)
    text = re.sub(r'<(\w+)[^>]*lang="zh-Hans"[^>]*>.*?</\1>', "", text, flags=re.S)
    text = re.sub(
        r'<option.*?</option>|<span class="who">.*?</span>|<textarea.*?</textarea>', "", text, flags=re.S
    )
    text = re.sub(r'<div id="messages".*?</div>', "", text, flags=re.S)
    lines = re.sub(r"<[^>]*>", "\n", text).split("\n")
    return [line.strip() for line in lines if CHINESE.search(line) and line.strip() != "中文"]


@pytest.fixture
def at_work(cast, browser):
    kitchen = open_kitchen(cast.county)
    rules, today, now = chain.food_safety(), timezone.localdate(), timezone.now()
    cook = safety.enter_worker(kitchen.site, name="田师傅", job="厨师", joined_on=today, by=cast.canteen)
    safety.check_morning(cook, on=today, tenths=365, symptoms=["腹泻"], rules=rules, by=cast.canteen)
    safety.take_reading(
        kitchen.site,
        point="cold",
        what="冷柜",
        tenths=99,
        at=now,
        action="报修",
        rules=rules,
        by=cast.canteen,
    )
    safety.keep_sample(
        kitchen.site, dish=kitchen.tofu, day=today, meal="lunch", grams=130, taken_at=now - timedelta(hours=49),
        taken_by="田", rules=rules, by=cast.canteen,
    )  # fmt: skip
    safety.make_tour(
        kitchen.site, token="1" * 32, kind="supervision", on=today, inspector="何某", faults={"S1": "证照不全"},
        rules=rules, by=cast.county,
    )  # fmt: skip
    safety.open_incident(
        kitchen.site,
        token="2" * 32,
        kind="illness",
        text="三人呕吐",
        found_at=now,
        rules=rules,
        by=cast.canteen,
    )
    mine = volunteering.register_volunteer(
        kitchen.site, name="蒋志愿", id_number=id_of(1), username="volunteer", by=cast.canteen
    )
    shift = volunteering.make_shift(
        kitchen.site, token="3" * 32, post="serve", starts_at=now, ends_at=now + timedelta(hours=2), places=2,
        receiver_name="罗奶奶", rules=chain.volunteer_rules(), by=cast.canteen,
    )  # fmt: skip
    group = volunteering.form_group(
        kitchen.site, name="三栋互助组", leader=mine, formed_on=today, by=cast.canteen
    )
    ask(browser(cast.county))
    return kitchen, mine, shift, group


def test_pages_in_english_hold_chinese_only_where_it_is_marked(cast, browser, at_work) -> None:
    kitchen, mine, shift, group = at_work
    plan = SitePlan.objects.get().number
    place = reverse("kitchen_place", args=[kitchen.site.code])
    pages = {
        "county": [
            reverse("safety"), *(f"{place}?tab={tab}" for tab in ("today", "staff", "stock", "cook", "tours", "trouble")),
            reverse("kitchen_incident", args=[Incident.objects.get().number]), reverse("volunteers"),
            reverse("volunteer", args=[mine.number]), reverse("mutual_group", args=[group.number]),
            reverse("shift", args=[shift.number]), reverse("site_plans"),
            reverse("site_plan", args=[plan]), f"{reverse('compare_plans')}?a={plan}&b={plan}",
        ],
        "canteen": [place, f"{place}?tab=stock", f"{place}?tab=cook", f"{place}?tab=tours", reverse("volunteers")],
        "volunteer": [reverse("home"), reverse("volunteer", args=[mine.number])],
    }  # fmt: skip

    bare = {}
    for who, addresses in pages.items():
        desk = browser(getattr(cast, who), "en")
        for address in addresses:
            answer = desk.get(address)
            assert answer.status_code == 200, address
            if found := left_over(answer.content.decode()):
                bare[f"{who} {address}"] = found

    assert bare == {}


def test_words_of_the_kitchen_have_their_english() -> None:
    rules = chain.food_safety()
    choices = (
        FoodSample._meta.get_field("meal").choices, Incident.Kind.choices, Incident.State.choices,
        Mending.State.choices, PublicWord.Kind.choices, PublicWord.Channel.choices, Service.State.choices,
        PointMovement.Kind.choices, Redemption.State.choices, VolunteerRecord.Kind.choices, SitePlan.State.choices,
    )  # fmt: skip
    words = [str(label) for rows in choices for _value, label in rows or ()]
    words += [
        *rules.weights,
        *rules.unfit,
        *(grade.label for grade in rules.grades),
        *STATUS.values(),
        *ACTS.values(),
    ]
    with translation.override("en"):
        untold = [word for word in words if CHINESE.search(translation.gettext(word))]

    assert untold == []
