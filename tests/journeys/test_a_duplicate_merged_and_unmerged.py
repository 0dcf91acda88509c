"""A journey in a browser: one person who stands twice is found, merged by an officer, found once, and is two again."""

from __future__ import annotations

from pathlib import Path

import pytest

from doudi.contexts.registry.models import DuplicatePair, Person
from tests.cast import assemble
from tests.contexts.test_people_who_stand_twice import TWIN_OF_ZHANG, enter_again


@pytest.fixture
def twice(county: Path, transactional_db: None) -> str:
    """张伟 is in the register a second time as 张玮; the number of that second household."""
    assemble()
    old = Person.objects.get(name="张伟")
    again = enter_again(old, id_number=TWIN_OF_ZHANG, name="张玮", born_on=old.born_on.replace(year=1981))
    return again.memberships.get().household.household_no


def names_found(desk, typed: str) -> str:
    desk.open(f"/households/?text={typed}")
    return desk.text()


def test_a_duplicate_is_found_merged_and_two_again(twice, sit_down) -> None:
    officer = sit_down("county")
    assert "H001" in names_found(officer, "zhangwei") and twice in officer.text()

    officer.open("/duplicates/")
    officer.press("form[action$='/find/'] button")
    assert "新增 1 对" in officer.text() and "姓名同音（张伟／张玮）" in officer.text()
    pair = DuplicatePair.objects.get()
    officer.press(f"a[href='/duplicates/{pair.pk}/']")
    officer.page.check("input[name=verdict][value=same]")
    officer.page.check(f"input[name=keep][value='{pair.first_id}']")
    officer.page.fill("#id_ground", "入户核对身份证原件，第二条证件号登记有误")
    officer.press("form[action$='/decide/'] button")
    assert "人员合并" in officer.text() and "并入张伟" in officer.text()
    assert "请核实户籍" in officer.text() and TWIN_OF_ZHANG not in officer.text()
    assert "张玮" not in names_found(officer, "zhangwei")

    township = sit_down("township")
    township.open("/duplicates/check/")
    township.page.fill("#id_name", "张玮")
    township.page.fill("#id_id_number", TWIN_OF_ZHANG)
    township.press("main form button")
    assert "可能已经在册" in township.text() and "曾用号" in township.text()

    officer.open(f"/duplicates/{pair.pk}/")
    assert "已并入另一条记录" in officer.text()
    officer.page.fill("#ground", "再看原件，两个号码都有效，是堂兄弟")
    officer.press("form[action$='/reopen/'] button")
    assert "存疑" in officer.text()
    assert "张玮" in names_found(officer, "zhangwei") and twice in officer.text()
    assert officer.troubles == [] and township.troubles == []
