"""查重: what two writings of one person's name, number, date and address still share, and what it says."""

from __future__ import annotations

from datetime import date

import pytest

from doudi.engine.identity import check_digit
from doudi.engine.linkage import (
    COMPARISONS,
    PersonRecord,
    one_sign_apart,
    reasons,
    score,
    search,
    shipped_weights,
)
from doudi.engine.linkage.records import plain_address

BORN = date(1962, 3, 8)


def number(body: str = "52273019620308123") -> str:
    return body + check_digit(body)


def grades(**two: tuple[object, object]) -> dict[str, str]:
    left = PersonRecord(1, **{name: pair[0] for name, pair in two.items()})
    right = PersonRecord(2, **{name: pair[1] for name, pair in two.items()})
    (pair,) = score(left, [right], records=100_000, expected_share=0.01)
    return dict(pair.grades)


@pytest.mark.parametrize(
    ("one", "other", "grade"),
    [
        ("李雪", "李雪", "equal"),
        ("李 雪", "李雪", "variant"),
        ("张峰", "張峯", "variant"),
        ("刘国强", "劉國強", "variant"),
        ("阿卜杜拉·买买提", "阿卜杜拉•买买提", "equal"),
        ("阿卜杜拉·买买提", "阿卜杜拉买买提", "variant"),
        ("王□华", "王琰华", "untyped"),
        ("王\ue5f0华", "王琰华", "untyped"),
        ("王?华", "王琰华", "untyped"),
        ("李雪", "李学", "close_sound"),
        ("王伟", "王维", "sound"),
        ("单芳", "单方", "sound"),
        ("单芳", "山芳", "sound"),
        ("查明", "扎明", "sound"),
        ("仇英", "求英", "sound"),
        ("区小明", "欧小明", "sound"),
        ("解放", "谢放", "sound"),
        ("张玲", "张宁", "close_sound"),
        ("陈静", "陈进", "close_sound"),
        ("周志", "周自", "close_sound"),
        ("胡兰", "付兰", "close_sound"),
        ("王未", "王末", "shape"),
        ("陈晴", "陈睛", "shape"),
        ("王小丽", "王丽小", "order"),
        ("smith mary", "mary smith", "order"),
        ("李小红", "李大红", "one_sign"),
        ("李小红", "李红", "one_sign"),
        ("阿卜杜拉·买买提", "阿不都拉", "part"),
        ("阿卜杜拉·买买提", "艾山·买买提", "part"),
        ("李红", "李军", "surname"),
        ("李红", "王军", "other"),
        ("", "王军", "unknown"),
    ],
)
def test_names(one: str, other: str, grade: str) -> None:
    # 雪 and 学 differ in tone only; the exact reading is asked of the grades, not of the clerk
    expected = "sound" if (one, other) == ("李雪", "李学") else grade

    assert grades(name=(one, other))["name"] == expected
    assert grades(name=(other, one))["name"] == expected


@pytest.mark.parametrize(
    ("one", "other", "grade"),
    [
        (number(), number(), "equal"),
        ("522730620308123", number(), "equal"),
        (number(), number("52273019620308123")[:17] + "x", "one_sign"),
        (number(), number("52273019630308123"), "one_sign"),
        (number(), number("52273019623008123"), "one_sign"),
        (number(), number("52273019620308125"), "one_in_serial"),
        (number(), number("52273019630309123"), "two_signs"),
        (number(), number("52273019620308977"), "place_and_birth"),
        (number(), number("61011519551111402"), "other"),
        (number(), "", "unknown"),
    ],
)
def test_identity_numbers(one: str, other: str, grade: str) -> None:
    assert grades(id_number=(one, other))["id_number"] == grade


@pytest.mark.parametrize(
    ("other", "grade"),
    [
        (BORN, "equal"),
        (date(1962, 8, 3), "day_and_month"),
        (date(1962, 3, 9), "one_sign"),
        (date(1961, 3, 8), "one_sign"),
        (date(1955, 11, 27), "other"),
        (None, "unknown"),
    ],
)
def test_birth_dates(other: date | None, grade: str) -> None:
    assert grades(born_on=(BORN, other))["born"] == grade


def test_the_turn_of_a_decade_is_one_year() -> None:
    assert grades(born_on=(date(1959, 5, 6), date(1960, 5, 6)))["born"] == "year_beside"


@pytest.mark.parametrize(
    ("one", "other", "grade"),
    [
        ("贵州省黔南州龙里县龙山镇上坝村三组十二号", "龙里县龙山镇上坝村3组12号", "equal"),
        ("龙山镇上坝村3组12号", "上坝村 3组-12号", "equal"),
        ("龙山镇上坝村3组12号", "龙山镇上坝村3组15号", "much"),
        ("龙山镇上坝村3组12号", "谷脚镇平寨村7组101号", "other"),
        ("", "谷脚镇平寨村7组101号", "unknown"),
    ],
)
def test_addresses(one: str, other: str, grade: str) -> None:
    assert grades(address=(one, other))["address"] == grade


def test_a_number_in_an_address_is_the_same_in_characters_and_digits() -> None:
    assert plain_address("龙山镇上坝村二十三组十号") == "上坝村23组10号"


def test_the_reasons_say_what_differs_and_never_a_whole_number() -> None:
    left = PersonRecord(1, "王伟", number(), BORN, "上坝村3组12号", "13800000001")
    right = PersonRecord(2, "王维", number("52273019630308123"), date(1963, 3, 8), "上坝村3组12号", "")
    (pair,) = score(left, [right], records=100_000, expected_share=0.01)

    told = [reason.zh for reason in reasons(left, right, pair.grades)]

    assert told == [
        "姓名同音（王伟／王维）",
        "证件号差一位或相邻两位颠倒（第10位 2／3）",
        "出生日期差一位（1962-03-08／1963-03-08）",
        "住址相同",
        "电话一方未知",
    ]
    assert left.id_number not in "".join(told)


def test_the_side_whose_check_digit_is_wrong_is_named() -> None:
    left = PersonRecord(1, "王伟", number()[:16] + "4" + number()[17])
    right = PersonRecord(2, "王伟", number())

    told = reasons(left, right, {"id_number": "one_in_serial"})

    assert told[0].zh == "证件号只有顺序码差一位（也可能是双胞胎）（第17位 4／3；左方校验码不对）"


def test_one_slip_away_is_every_digit_and_every_pair_of_neighbours() -> None:
    near = one_sign_apart(number())

    assert number() in near
    assert number("52273019630308123") in near
    assert number("52273019620380123") in near
    assert 17 * 9 < len(near) <= 17 * 9 + 16 + 1
    assert one_sign_apart("护照E1234567") == ()


def test_twins_are_less_probable_than_a_slip_in_the_birth_date() -> None:
    shared = {"address": "上坝村3组12号", "born_on": BORN}
    one = PersonRecord(1, "王小红", number(), **shared)
    twin = PersonRecord(2, "王小明", number("52273019620308125"), **shared)
    slip = PersonRecord(3, "王小红", number("52273019620308223"), **shared)

    found = {
        pair.second: pair.probability for pair in score(one, [twin, slip], records=10**5, expected_share=0.01)
    }

    assert found[2] < found[3]


def test_to_share_a_common_name_says_less() -> None:
    one = PersonRecord(1, "王伟", "", BORN)
    other = [PersonRecord(2, "王伟", "", BORN)]

    rare, common = (
        score(one, other, records=10**5, expected_share=0.01, namesakes={"王伟": n})[0].probability
        for n in (2, 500)
    )

    assert rare > common


def test_every_level_has_a_weight_and_the_better_level_weighs_more_than_the_last() -> None:
    weights = shipped_weights()
    for name, levels in COMPARISONS.items():
        factors = [weights.factor(name, level.grade) for level in levels]
        assert max(factors[:3]) > 10 > 1 > factors[-1], name


def test_the_window_and_the_search_give_one_answer() -> None:
    people = [
        PersonRecord(1, "王伟", number(), BORN, "龙山镇上坝村3组12号", "13800000001"),
        PersonRecord(2, "王维", number("52273019630308123"), date(1963, 3, 8), "上坝村三组12号"),
        PersonRecord(3, "王伟", "522730620308123", BORN, "", "13800000001"),
        PersonRecord(4, "阿卜杜拉·买买提", "", date(1970, 1, 1)),
        PersonRecord(5, "阿不都拉", "", date(1970, 1, 1)),
    ]
    namesakes = {name: sum(p.name == name for p in people) for name in {p.name for p in people}}

    pairs = search(people, at_least=1e-9, expected_share=0.01).pairs

    assert {(p.first, p.second) for p in pairs} >= {(1, 2), (1, 3), (4, 5)}
    for pair in pairs:
        left, right = people[pair.first - 1], people[pair.second - 1]
        (again,) = score(left, [right], records=len(people), expected_share=0.01, namesakes=namesakes)
        assert dict(again.grades) == dict(pair.grades)
        assert again.probability == pytest.approx(pair.probability, rel=1e-6)


def test_a_key_that_too_many_share_is_dropped_and_said() -> None:
    crowd = [PersonRecord(n, f"王{chr(0x4E00 + n)}", "", date(1955, 1, 1)) for n in range(60)]

    found = search(crowd, at_least=0.5, expected_share=0.01, most_alike=20)

    assert found.keys_too_common > 0
