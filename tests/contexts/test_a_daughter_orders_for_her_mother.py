"""A daughter orders by a code, sees nothing but meals, keeps to the cut-off; who asks for meals waits for the township."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest

from doudi import chain
from doudi.contexts.accounts.models import AuditEntry
from doudi.contexts.accounts.policies import NotAllowed
from doudi.contexts.meals import services as meals
from doudi.engine.errors import DoudiError
from doudi.engine.packs.meals import CutOff
from tests.a_meal_place import born, cook, enrol, open_canteen, today
from tests.cast import Cast, assemble
from tests.small_county import TOWNSHIP_A, TOWNSHIP_B, ZHAO_GUO, make_id

MEALS = ("breakfast", "lunch", "dinner")


def closing(at: time) -> dict[str, CutOff]:
    return dict.fromkeys(MEALS, CutOff(0, at))


@pytest.fixture
def cast(db: None, office) -> Cast:
    return assemble()


@pytest.fixture
def canteen(cast) -> meals.Site:
    place = open_canteen(cast)
    cook(cast, place, day=today() + timedelta(days=1))
    return place


@pytest.fixture
def mother(cast, canteen) -> meals.Diner:
    return enrol(cast, canteen, name="何桂兰", allergies=("花生",), illness="糖尿病", address="虚构路一号")


def tail(person: meals.Diner) -> str:
    return person.id_number[-4:]


def code_for(person: meals.Diner, by, who: str = "女儿何小妹") -> str:
    return chain.issue_family_code(person.number, who=who, consent_how="本人签字", by=by)


def key(day: date, meal: str = "lunch") -> str:
    return f"{day:%Y-%m-%d}.{meal}"


TOMORROW = today() + timedelta(days=1)


def test_a_daughter_sees_menus_and_orders_and_nothing_else(cast, canteen, mother) -> None:
    code = code_for(mother, cast.canteen)
    view = chain.family_view(code, tail(mother))

    assert (view.name, view.site) == ("何**", canteen.name)
    lunch = next(slot for slot in view.slots if slot.key == key(TOMORROW))
    assert (lunch.dishes, lunch.price_fen, lunch.ordered) == (("红烧肉", "花生拌菠菜"), 2000, False)
    assert len(view.slots) == 2 * (chain.meal_network().menu_days + 1)  # lunch and dinner of each day
    shown = repr(view)
    for secret in ("桂兰", "糖尿病", "虚构路", mother.id_number, mother.code, mother.number, "花生过敏"):
        assert secret not in shown
    assert AuditEntry.objects.filter(act="family_look", subject=f"diner:{mother.number}").count() == 1


def test_what_is_ticked_is_ordered_what_is_not_is_cancelled_and_twice_is_once(cast, canteen, mother) -> None:
    code, after = code_for(mother, cast.township), today() + timedelta(days=2)
    shown = [key(TOMORROW), key(after), key(after, "dinner")]

    first = chain.family_order(code, tail(mother), shown=shown, wanted=shown[:2])
    again = chain.family_order(code, tail(mother), shown=shown, wanted=shown[:2])
    assert (first.made, first.cancelled, again.made, again.cancelled) == (2, 0, 0, 0)
    one = meals.orders(by=cast.canteen, day=TOMORROW).get()
    assert (one.channel, one.placed_for, one.diner, one.placed_by) == (
        "family", "女儿何小妹", mother, "（公众）",
    )  # fmt: skip
    assert one.clash  # the kitchen sees the allergy that the page does not tell

    changed = chain.family_order(code, tail(mother), shown=shown, wanted=shown[1:])
    assert (changed.made, changed.cancelled) == (1, 1)
    assert {order.state for order in meals.orders(by=cast.canteen, day=TOMORROW)} == {"cancelled"}
    # what the form did not show is not touched, nor taken
    nothing = chain.family_order(code, tail(mother), shown=[key(after)], wanted=[key(after), key(TOMORROW)])
    assert (nothing.made, nothing.cancelled) == (0, 0)


def test_after_the_cut_off_nothing_is_ordered_nor_cancelled(cast, canteen, mother) -> None:
    code = code_for(mother, cast.canteen)
    limits, rules = chain.outreach(), chain.meal_network()
    assert rules.cut_offs["breakfast"].until(date(2026, 3, 2)) == datetime(2026, 3, 1, 18)
    still_open = replace(rules, cut_offs=closing(time(23, 59, 59)))
    closed = replace(rules, cut_offs=closing(time(0)))
    shown = [key(today()), key(today(), "dinner")]
    made = meals.family_order(
        code, tail(mother), shown=shown[:1], wanted=shown[:1], rules=still_open, limits=limits
    )
    assert made.made == 1

    late = meals.family_order(code, tail(mother), shown=shown, wanted=shown[1:], rules=closed, limits=limits)

    assert (late.made, late.cancelled) == (0, 0)
    assert [problem.code for _slot, problem in late.refused] == ["cut_off", "cut_off"]
    assert "打电话" in late.refused[0][1].zh
    # a pause leaves what is being cooked, and takes what is not
    tomorrow = meals.family_order(
        code, tail(mother), shown=[key(TOMORROW)], wanted=[key(TOMORROW)], rules=closed, limits=limits
    )
    assert tomorrow.made == 1
    days = {"since": today(), "until": TOMORROW}
    kept = meals.family_pause(code, tail(mother), **days, rules=closed, limits=limits)
    assert meals.family_pause(code, tail(mother), **days, rules=closed, limits=limits).pk == kept.pk
    states = {order.day: order.state for order in meals.orders(by=cast.canteen)}
    assert states == {today(): "ordered", TOMORROW: "cancelled"}
    with pytest.raises(meals.StepRefused):
        chain.family_pause(code, tail(mother), since=TOMORROW, until=today())


def test_why_the_mother_cannot_eat_is_not_told_but_that_the_place_is_full_is(cast, canteen, mother) -> None:
    code = code_for(mother, cast.canteen)
    meals.record_stop(mother, kind="hospital", since=TOMORROW, source="村委会", by=cast.township)

    ill = chain.family_order(code, tail(mother), shown=[key(TOMORROW)], wanted=[key(TOMORROW)])
    assert ill.made == 0 and "住院" not in ill.refused[0][1].zh and "何" not in ill.refused[0][1].zh

    canteen.hours.update(capacity=1)
    father = enrol(cast, canteen, serial=102)
    other = code_for(father, cast.canteen)
    full = [key(TOMORROW, "dinner")]
    third = enrol(cast, canteen, serial=103)
    chain.place_order(
        third.number, site_code=canteen.code, day=TOMORROW, meal="dinner", channel="phone", by=cast.canteen
    )
    told = chain.family_order(other, tail(father), shown=full, wanted=full)
    assert [problem.code for _slot, problem in told.refused] == ["full"]


def test_a_wrong_code_a_wrong_end_and_a_stopped_code_open_nothing_and_count(cast, canteen, mother) -> None:
    code = code_for(mother, cast.canteen)
    for wrong, end in ((code[:-1] + "Z" * 2, tail(mother)), (code, "0000"), (code, ""), ("", tail(mother))):
        with pytest.raises(DoudiError) as refused:
            chain.family_view(wrong, end, address="192.0.2.7")
        assert refused.value.code == "family_code_wrong"
    chain.family_view(code.lower().replace("-", " "), tail(mother).lower(), address="192.0.2.8")
    for _try in range(chain.outreach().looks_per_address - 4):
        with pytest.raises(DoudiError, match="家属码"):
            chain.family_view("AAAAA-AAAAA", "0000", address="192.0.2.7")
    with pytest.raises(DoudiError) as refused:  # the right code does not help who tried too often
        chain.family_view(code, tail(mother), address="192.0.2.7")
    assert refused.value.code == "too_many"

    meals.end_family_code(mother, meals.family_codes(mother).get().pk, by=cast.canteen)
    with pytest.raises(DoudiError, match="家属码"):
        chain.family_view(code, tail(mother))


def test_a_code_needs_the_mothers_consent_a_desk_that_serves_her_and_ends_by_itself(
    cast, canteen, mother
) -> None:
    with pytest.raises(meals.StepRefused):
        chain.issue_family_code(mother.number, who="女儿", consent_how="", by=cast.canteen)
    for stranger in (cast.courier, cast.county):
        with pytest.raises((NotAllowed, meals.DinerNotFound)):
            code_for(mother, stranger)
    code = code_for(mother, cast.township)
    assert code not in " ".join(line.text for line in mother.events.all())

    mother.family_codes.update(until=today() - timedelta(days=1))
    with pytest.raises(DoudiError, match="家属码"):
        chain.family_view(code, tail(mother))
    fresh = code_for(mother, cast.township)
    meals.leave(mother, ground="搬走", by=cast.township)
    with pytest.raises(DoudiError, match="家属码"):
        chain.family_view(fresh, tail(mother))


# ---- asking for meals --------------------------------------------------------------------------------------------


def asks(place: meals.Site, number: str, **other) -> meals.Enrolment:
    return meals.Enrolment(
        **{
            "name": "何阿婆", "id_number": number, "region_code": TOWNSHIP_A, "site_code": place.code,
            "channel": "self", "consent_on": today(), "consent_by": "何阿婆",
            "consent_how": meals.CONSENT_ONLINE, "phone": "10012345678", **other,
        }
    )  # fmt: skip


@pytest.fixture
def served(county) -> tuple[Cast, meals.Site]:
    people = assemble()
    return people, open_canteen(people)


def test_who_asks_for_meals_waits_for_the_township(served) -> None:
    cast, place = served
    told = asks(place, make_id(born(75), 301))

    assert chain.enrol_by_oneself(told) is None and chain.enrol_by_oneself(told) is None

    person = meals.diners(by=cast.township, status="applied").get()
    assert (person.enrolled_by, person.channel, person.registered_region) == ("（公众）", "self", "")
    with pytest.raises(meals.StepRefused):
        chain.place_order(
            person.number, site_code=place.code, day=TOMORROW, meal="lunch", channel="desk", by=cast.township
        )
    assert meals.confirm_diner(person, by=cast.township).status == "active"
    # asked again, by whoever knows the number, an enrolment in force stays as it is
    chain.enrol_by_oneself(replace(told, phone="10099999999", name="别人"))
    again = meals.diners(by=cast.township).get()
    assert (again.name, again.phone, again.status) == ("何阿婆", "10012345678", "active")


def test_the_public_page_tells_nothing_of_the_register_and_the_township_finds_the_dead(served) -> None:
    cast, place = served
    registered = asks(place, ZHAO_GUO, name="赵国", region_code=TOWNSHIP_B)
    assert chain.enrol_by_oneself(registered) is None  # the register knows him, the answer is the same
    person = meals.diners(by=cast.county, status="applied").get()
    assert person.category == "低保"

    from doudi.contexts.registry.models import Person

    Person.objects.filter(name="赵国").update(died_on=today())
    with pytest.raises(meals.StepRefused, match="去世"):
        meals.confirm_diner(person, by=cast.county)


@pytest.mark.parametrize(
    "wrong",
    [
        {"consent_how": "本人签字"}, {"channel": "village"}, {"region_code": "610102001"}, {"site_code": "CT-NONE"},
        {"id_number": make_id("20000101", 9)}, {"id_number": "520102"}, {"name": " "}, {"consent_on": None},
        {"diets": ("gold",)},
    ],
    ids=lambda wrong: next(iter(wrong)),
)  # fmt: skip
def test_what_is_not_as_it_should_be_is_refused(served, wrong: dict) -> None:
    cast, place = served
    with pytest.raises(DoudiError):
        chain.enrol_by_oneself(replace(asks(place, make_id(born(75), 301)), **wrong))
    assert not meals.diners(by=cast.county, status="all").exists()


def test_one_device_asks_a_few_times_only(served) -> None:
    cast, place = served
    most = chain.outreach().per_device
    for serial in range(most):
        chain.enrol_by_oneself(asks(place, make_id(born(75), 400 + serial)), device="d1")
    with pytest.raises(DoudiError) as refused:
        chain.enrol_by_oneself(asks(place, make_id(born(75), 499)), device="d1")
    assert refused.value.code == "too_many"
    assert meals.diners(by=cast.county, status="applied").count() == most
