"""The clerk's pages of 查重: the queue, two records side by side, and the look before entry."""

from __future__ import annotations

import pytest
from django.urls import reverse

from doudi import chain
from doudi.contexts.registry.models import DuplicatePair, Person
from tests.contexts.test_people_who_stand_twice import TWIN_OF_ZHANG, enter_again
from tests.small_county import TOWNSHIP_A, WANG_QIANG, make_id


@pytest.fixture
def pair(county) -> DuplicatePair:
    old = Person.objects.get(name="张伟")
    enter_again(old, id_number=TWIN_OF_ZHANG, name="张玮", born_on=old.born_on.replace(year=1981))
    chain.find_duplicates(by=county.county)
    return DuplicatePair.objects.get()


def test_the_county_finds_compares_and_decides(county, browser, pair) -> None:
    desk = browser(county.county)

    assert "姓名同音（张伟／张玮）" in desk.get(reverse("duplicates")).content.decode()
    page = desk.get(reverse("duplicate", args=[pair.pk])).content.decode()
    assert "529900***<mark>0</mark>" in page and "529900***<mark>1</mark>" in page
    assert TWIN_OF_ZHANG not in page
    answer = desk.post(
        reverse("duplicate_decide", args=[pair.pk]), {"verdict": "different", "ground": "入户见到两人"}
    )
    assert answer.status_code == 302
    late = desk.post(
        reverse("duplicate_decide", args=[pair.pk]), {"verdict": "doubtful", "ground": "再看一看吧"}
    )
    assert late.status_code == 422 and "您的判定没有保存" in late.content.decode()
    desk.post(reverse("duplicate_reopen", args=[pair.pk]), {"ground": "又有新的情况"})
    pair.refresh_from_db()
    assert pair.status == "doubtful"


def test_the_township_looks_before_it_enters(county, browser, pair) -> None:
    desk = browser(county.township, "en")

    told = desk.post(reverse("duplicate_check"), {"name": "王墙", "id_number": WANG_QIANG}).content.decode()
    assert "1 person may be on the register already" in told and "H002" in told
    assert WANG_QIANG not in told.replace(f'value="{WANG_QIANG}"', "")
    page = desk.get(reverse("duplicate", args=[pair.pk])).content.decode()
    assert "One person or two?" in page and "Save the decision" not in page


def test_one_person_is_merged_on_the_page_and_told_what_became_of_the_records(county, browser, pair) -> None:
    desk = browser(county.county)
    said = {"verdict": "same", "ground": "核对身份证原件", "keep": pair.first_id}

    told = desk.post(reverse("duplicate_decide", args=[pair.pk]), said, follow=True).content.decode()

    assert "两条记录已合并" in told and "并入张伟" in told and "请核实户籍" in told
    pair.refresh_from_db()
    page = desk.get(reverse("duplicate", args=[pair.pk])).content.decode()
    assert "已并入另一条记录" in page and reverse("event", args=[pair.merge_number]) in page
    late = desk.post(reverse("duplicate_decide", args=[pair.pk]), said)
    assert late.status_code == 422 and "您的判定没有保存" in late.content.decode()

    desk.post(reverse("duplicate_reopen", args=[pair.pk]), {"ground": "原件看错了"})

    pair.refresh_from_db()
    assert (pair.status, pair.merge_number) == ("doubtful", "")


def test_who_is_entered_by_an_event_is_looked_for_before_it_is_recorded(county, browser) -> None:
    desk = browser(county.township)
    said = {
        "on": "2024-11-20", "token": "t" * 12, "name": "王墙", "id_number": make_id("19750303", 34),
        "relation": "其他", "basis": "support_duty", "ground": "村委会证明",
    }  # fmt: skip
    address = reverse("change", args=["H001", "lodger"])

    told = desk.post(address, {**said, "step": "preview"}).content.decode()
    known = desk.post(
        address, {**said, "name": "王强", "id_number": WANG_QIANG, "step": "preview"}
    ).content.decode()

    assert "可能已经在册" in told and "王强" in told and "将会改变" in told
    assert "可能已经在册" not in known, "a registered number is that person and no question"


def test_a_family_that_is_new_at_the_window_is_looked_for_first(county, browser) -> None:
    desk = browser(county.township)
    typed = {
        "token": "0" * 32, "region_code": TOWNSHIP_A, "urban_rural": "城镇", "ground": "户口簿",
        "name_0": "王墙", "id_0": make_id("19750303", 34), **{f"name_{n}": "" for n in range(1, 6)},
    }  # fmt: skip

    told = desk.post(reverse("window_family"), typed)
    done = desk.post(reverse("window_family"), {**typed, "looked": "1"})

    assert told.status_code == 422 and "可能已经在册" in told.content.decode()
    assert "H002" in told.content.decode() and 'name="looked"' in told.content.decode()
    assert done.status_code == 302
    assert Person.objects.filter(name="王墙").count() == 1
