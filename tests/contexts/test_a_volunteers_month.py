"""A volunteer's month: registered, insured, on a shift, confirmed by both sides, and points spent (handbook 05 §5.7)."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import date, datetime, timedelta
from itertools import count

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed, Role, create_user, system_user
from doudi.contexts.meals import volunteering as v
from doudi.contexts.meals.models import PointLeg, PointMovement, Redemption, Service
from doudi.contexts.meals.services import StepRefused
from doudi.contexts.monitoring import services as monitoring
from doudi.engine import identity
from tests.a_kitchen import Kitchen, open_kitchen
from tests.cast import Cast, assemble


@pytest.fixture
def cast(office, db) -> Cast:
    return assemble()


@pytest.fixture
def kitchen(cast) -> Kitchen:
    return open_kitchen(cast.county)


@pytest.fixture
def rules():
    return chain.volunteer_rules()


def id_of(place: int, born: str = "19580304") -> str:
    first = f"520102{born}{place:03d}"
    return first + identity.check_digit(first)


def person(kitchen, cast, place: int = 1, *, name: str = "蒋志愿", **more):
    return v.register_volunteer(kitchen.site, name=name, id_number=id_of(place), by=cast.canteen, **more)


_tokens = count()


def token() -> str:
    return f"{next(_tokens):032x}"


def planned(kitchen, cast, rules, *, post: str = "serve", hours: float = 2, begun: float = 1.0, **more):
    """A shift of ``hours`` that began ``begun`` hours ago (below nought: will begin)."""
    starts = timezone.now().replace(second=0, microsecond=0) - timedelta(hours=begun)
    asked = {"places": 2, "receiver_name": "罗奶奶", "token": token(), **more}
    return v.make_shift(
        kitchen.site, post=post, starts_at=starts, ends_at=starts + timedelta(hours=hours), rules=rules,
        by=cast.canteen, **asked,
    )  # fmt: skip


def served(kitchen, cast, rules, who, *, minutes: int = 120, confirm: bool = True) -> Service:
    """A service of so many minutes, over and (if ``confirm``) confirmed by both sides."""
    shift = planned(kitchen, cast, rules, hours=minutes / 60, begun=minutes / 60 + 0.01)
    service = Service.objects.create(
        shift=shift, volunteer=who, state="out", minutes=minutes, in_at=shift.starts_at, out_at=shift.ends_at
    )
    if confirm:
        v.confirm_by_site(service.pk, rules=rules, by=cast.canteen)
        v.confirm_by_call(service.pk, rules=rules, by=cast.township)
        service.refresh_from_db()
    return service


# ---- the month ---------------------------------------------------------------------------------------------------


def test_from_signing_up_to_points_spent(cast, kitchen, rules) -> None:
    mine = person(kitchen, cast, username="volunteer")
    shift = planned(kitchen, cast, rules, hours=2, begun=0.5)

    service = v.sign_up(shift.number, mine, rules=rules, by=cast.volunteer)
    assert v.sign_up(shift.number, mine, rules=rules, by=cast.volunteer).pk == service.pk
    v.sign_in(service.pk, by=cast.canteen, at=shift.starts_at - timedelta(minutes=10))
    shift.ends_at = timezone.now()
    shift.save()
    v.sign_out(service.pk, by=cast.volunteer)
    service.refresh_from_db()
    assert 29 <= service.minutes <= 30, "what counts begins with the shift"
    Service.objects.filter(pk=service.pk).update(minutes=125)

    v.confirm_by_site(service.pk, rules=rules, by=cast.canteen, minutes=120)
    assert v.balance(mine) == 0, "one side is not enough"
    v.confirm_by_call(service.pk, rules=rules, by=cast.township)
    v.confirm_by_call(service.pk, rules=rules, by=cast.township)
    assert v.balance(mine) == 4

    lunch = v.redeem(mine, offer="lunch", site=kitchen.site, token="l" * 32, rules=rules, by=cast.volunteer)
    again = v.redeem(mine, offer="lunch", site=kitchen.site, token="l" * 32, rules=rules, by=cast.volunteer)
    given = v.hand_over(lunch.number, by=cast.canteen)
    assert again.pk == lunch.pk and given.state == "given"
    assert v.balance(mine) == 0
    assert v.totals() == v.Totals(issued=4, held=0, redeemed=4, expired=0, pool=0)


def test_nobody_confirms_the_own_service(cast, kitchen, rules) -> None:
    mine = person(kitchen, cast, username="volunteer")
    service = served(kitchen, cast, rules, mine, confirm=False)

    with pytest.raises(NotAllowed):
        v.confirm_by_site(service.pk, rules=rules, by=cast.volunteer)
    with pytest.raises(NotAllowed):
        v.confirm_by_call(service.pk, rules=rules, by=cast.volunteer)
    with pytest.raises(NotAllowed):
        v.confirm_by_call(service.pk, rules=rules, by=cast.canteen)
    with pytest.raises(NotAllowed):
        v.confirm_by_site(service.pk, rules=rules, by=cast.township)
    # a canteen account that is itself the volunteer's: the service refuses it, whatever the role may do
    mine.account = "canteen"
    mine.save()
    with pytest.raises(StepRefused, match="自己"):
        v.confirm_by_site(service.pk, rules=rules, by=cast.canteen)
    assert not PointMovement.objects.exists()


def test_the_receiver_confirms_by_the_own_meal_code_and_codes_cannot_be_tried(cast, kitchen, rules) -> None:
    who, diner, limits = person(kitchen, cast), kitchen.diners[0], chain.food_safety()
    shift = planned(kitchen, cast, rules, receiver=diner, receiver_name=diner.name)
    service = Service.objects.create(shift=shift, volunteer=who, state="out", minutes=60)
    v.confirm_by_site(service.pk, rules=rules, by=cast.canteen)

    for _try in range(limits.per_address):
        with pytest.raises(StepRefused):
            v.confirm_by_code(shift.number, "000000", rules=rules, limits=limits, address="203.0.113.7")
    with pytest.raises(monitoring.TooMany):
        v.confirm_by_code(shift.number, diner.code, rules=rules, limits=limits, address="203.0.113.7")
    assert v.confirm_by_code(shift.number, diner.code, rules=rules, limits=limits, address="203.0.113.8") == 1
    assert v.confirm_by_code(shift.number, diner.code, rules=rules, limits=limits, address="203.0.113.8") == 0
    assert v.balance(who) == 2


def test_dangerous_work_asks_for_an_insurance_first(cast, kitchen, rules) -> None:
    who = person(kitchen, cast)
    shift = planned(kitchen, cast, rules, post="deliver", begun=-1)
    today = timezone.localdate()

    def sign_up():
        return v.sign_up(shift.number, who, rules=rules, by=cast.canteen)

    with pytest.raises(StepRefused) as without:
        sign_up()
    v.insure(
        who,
        policy_no="P-old",
        insurer="人保",
        from_on=date(2020, 1, 1),
        until_on=date(2020, 12, 31),
        by=cast.canteen,
    )
    with pytest.raises(StepRefused) as lapsed:
        sign_up()
    v.insure(
        who,
        policy_no="P1",
        insurer="人保",
        from_on=today,
        until_on=today + timedelta(days=365),
        by=cast.canteen,
    )
    with pytest.raises(StepRefused) as untrained:
        sign_up()
    v.keep_record(who, kind="training", title="骑行送餐安全", on=today, minutes=90, by=cast.canteen)

    assert (without.value.code, lapsed.value.code, untrained.value.code) == (
        "not_insured", "not_insured", "not_trained",
    )  # fmt: skip
    assert sign_up().state == "signed_up"


def test_a_full_shift_and_two_at_once_are_refused(cast, kitchen, rules) -> None:
    people = [person(kitchen, cast, place, name=f"志愿{place}") for place in (1, 2, 3)]
    shift = planned(kitchen, cast, rules, begun=-1)
    other = planned(kitchen, cast, rules, begun=-2)

    v.sign_up(shift.number, people[0], rules=rules, by=cast.canteen)
    v.sign_up(shift.number, people[1], rules=rules, by=cast.canteen)
    with pytest.raises(StepRefused, match="报满"):
        v.sign_up(shift.number, people[2], rules=rules, by=cast.canteen)
    with pytest.raises(StepRefused, match="同一时间"):
        v.sign_up(other.number, people[0], rules=rules, by=cast.canteen)
    v.cancel(people[0].services.get().pk, by=cast.canteen)
    assert v.sign_up(shift.number, people[2], rules=rules, by=cast.canteen).state == "signed_up"


def test_who_does_not_come_is_marked_absent_after_half_an_hour(cast, kitchen, rules) -> None:
    who = person(kitchen, cast)
    early = planned(kitchen, cast, rules, begun=0.25)
    late = planned(kitchen, cast, rules, begun=0.75, hours=3)
    Service.objects.create(shift=late, volunteer=who, state="signed_up")

    with pytest.raises(StepRefused, match="30 分钟"):
        v.close_shift(early.number, rules=rules, by=cast.canteen)
    assert v.close_shift(late.number, rules=rules, by=cast.canteen) == 1
    assert v.close_shift(late.number, rules=rules, by=cast.canteen) == 0
    assert v.figures(who)["no_shows"] == 1


def test_eight_hours_a_day_count_and_no_more(cast, kitchen, rules) -> None:
    who = person(kitchen, cast)
    for minutes in (300, 240, 60):
        service = served(kitchen, cast, rules, who, minutes=minutes)
        Service.objects.filter(pk=service.pk).update(state="confirmed")

    days = {service.shift.day for service in Service.objects.all()}
    if len(days) == 1:
        assert v.balance(who) == 16
    assert rules.points(300, counted_today=0) == (10, 300)
    assert rules.points(240, counted_today=300) == (6, 180)
    assert rules.points(60, counted_today=480) == (0, 0)
    assert rules.points(20, counted_today=20) == (1, 20), "two times twenty minutes are one point"


def test_the_minutes_confirmed_are_never_more_than_those_worked(cast, kitchen, rules) -> None:
    service = served(kitchen, cast, rules, person(kitchen, cast), minutes=60, confirm=False)

    with pytest.raises(StepRefused, match="60 分钟"):
        v.confirm_by_site(service.pk, rules=rules, by=cast.canteen, minutes=61)
    refused = v.confirm_by_site(service.pk, rules=rules, by=cast.canteen, refuse="人没有来，签到是别人代签")
    assert refused.state == "refused"
    with pytest.raises(StepRefused):
        v.confirm_by_call(service.pk, rules=rules, by=cast.township)
    assert not PointMovement.objects.exists()


# ---- the ledger --------------------------------------------------------------------------------------------------


def test_points_are_given_carried_and_come_back_by_a_counter_entry(cast, kitchen, rules) -> None:
    who, aunt = person(kitchen, cast), person(kitchen, cast, 2, name="蒋大姨", serves=False)
    point = open_kitchen(
        cast.county, code="CT-520102-9", name="遵义路助餐点", organisation=kitchen.site.code
    ).site
    served(kitchen, cast, rules, who, minutes=240)

    gift = v.give_points(who, aunt, points=3, token=token(), by=cast.canteen)
    v.carry_points(who, from_site=kitchen.site, to_site=point, points=4, token=token(), by=cast.canteen)
    assert (v.balance(who), v.balance(who, site=point), v.balance(aunt)) == (5, 4, 3)
    with pytest.raises(StepRefused, match="只有 1 分"):
        v.redeem(who, offer="haircut", site=kitchen.site, token=token(), rules=rules, by=cast.canteen)

    with pytest.raises(NotAllowed):
        v.reverse_movement(gift.number, why="写错人", by=cast.canteen)
    back = v.reverse_movement(gift.number, why="写错人", by=cast.county)
    assert v.reverse_movement(gift.number, why="写错人", by=cast.county).pk == back.pk
    assert (v.balance(who), v.balance(aunt)) == (8, 0)
    with pytest.raises(StepRefused, match="不能再冲销"):
        v.reverse_movement(back.number, why="再来", by=cast.county)
    with pytest.raises(TypeError):
        PointLeg.objects.first().delete()


def test_points_used_meanwhile_are_not_taken_back(cast, kitchen, rules) -> None:
    who = person(kitchen, cast)
    service = served(kitchen, cast, rules, who, minutes=120)
    v.redeem(who, offer="lunch", site=kitchen.site, token=token(), rules=rules, by=cast.canteen)

    with pytest.raises(StepRefused, match="已有部分使用"):
        v.reverse_movement(service.movement.number, why="服务不实", by=cast.county)


def test_a_cancelled_redemption_gives_the_points_back_and_one_handed_over_does_not(
    cast, kitchen, rules
) -> None:
    who = person(kitchen, cast)
    served(kitchen, cast, rules, who, minutes=240)
    asked = v.redeem(who, offer="lunch", site=kitchen.site, token=token(), rules=rules, by=cast.canteen)
    v.cancel_redemption(asked.number, by=cast.canteen)
    v.cancel_redemption(asked.number, by=cast.canteen)
    given = v.redeem(who, offer="lunch", site=kitchen.site, token=token(), rules=rules, by=cast.canteen)
    v.hand_over(given.number, by=cast.canteen)

    assert v.balance(who) == 4
    with pytest.raises(StepRefused, match="已经兑付"):
        v.cancel_redemption(given.number, by=cast.canteen)


def test_nothing_is_redeemed_for_cash(cast, kitchen, rules) -> None:
    who = person(kitchen, cast)
    served(kitchen, cast, rules, who)

    assert {offer.kind for offer in rules.offers.values()} <= {"餐", "服务"}
    with pytest.raises(StepRefused, match="现金"):
        v.redeem(who, offer="cash", site=kitchen.site, token=token(), rules=rules, by=cast.canteen)


def test_points_expire_after_five_years_and_a_gift_keeps_their_day(cast, kitchen, rules) -> None:
    who, aunt = person(kitchen, cast), person(kitchen, cast, 2, name="蒋大姨", serves=False)
    service = served(kitchen, cast, rules, who, minutes=120)
    v.give_points(who, aunt, points=1, token=token(), by=cast.canteen)
    last = service.shift.day.replace(year=service.shift.day.year + 5)

    assert v.expire_points(by=cast.county, on=last) == 0, "the last day is still good"
    assert v.expire_points(by=cast.county, on=last + timedelta(days=1)) == 4
    assert v.expire_points(by=cast.county, on=last + timedelta(days=1)) == 0
    assert (v.totals().expired, v.totals().held) == (4, 0)


def test_points_of_the_dead_go_to_the_heir_or_to_the_pool(cast, kitchen, rules) -> None:
    who, heir, alone, poor = (person(kitchen, cast, place, name=f"人{place}") for place in (1, 2, 3, 4))
    served(kitchen, cast, rules, who, minutes=120)
    served(kitchen, cast, rules, alone, minutes=60)
    v.name_heir(who, heir, by=cast.canteen)

    with pytest.raises(NotAllowed):
        v.settle_estate(who, died_on=timezone.localdate(), by=cast.canteen)
    v.settle_estate(who, died_on=timezone.localdate(), by=cast.county)
    v.settle_estate(who, died_on=timezone.localdate(), by=cast.county)
    v.settle_estate(alone, died_on=timezone.localdate(), by=cast.county)
    assert (v.balance(heir), v.pool_balance()) == (4, 2)
    v.grant_from_pool(poor, points=2, token=token(), why="独居困难", by=cast.county)
    assert (v.balance(poor), v.pool_balance()) == (2, 0)
    with pytest.raises(StepRefused, match="公益池"):
        v.grant_from_pool(poor, points=1, token=token(), why="再给", by=cast.county)


@pytest.mark.parametrize("seed", range(3))
def test_no_sequence_of_acts_makes_or_loses_a_point(cast, kitchen, rules, seed: int) -> None:
    draw = random.Random(seed)
    other = open_kitchen(
        cast.county, code="CT-520102-9", name="另一个点", organisation=kitchen.site.code
    ).site
    people = [person(kitchen, cast, place, name=f"人{place}") for place in range(1, 5)]
    today = timezone.localdate()

    def act() -> None:
        who, to = draw.sample(people, 2)
        what = draw.choice(
            (
                "earn",
                "earn",
                "earn",
                "gift",
                "carry",
                "redeem",
                "cancel",
                "reverse",
                "expire",
                "estate",
                "pool",
            )
        )
        if what == "earn":
            served(kitchen, cast, rules, who, minutes=draw.choice((20, 45, 60, 250)))
        elif what == "gift":
            v.give_points(who, to, points=draw.randint(0, 6), token=token(), by=cast.canteen)
        elif what == "carry":
            sites = [kitchen.site, other]
            draw.shuffle(sites)
            v.carry_points(
                who,
                from_site=sites[0],
                to_site=sites[1],
                points=draw.randint(1, 5),
                token=token(),
                by=cast.canteen,
            )
        elif what == "redeem":
            v.redeem(
                who,
                offer=draw.choice(list(rules.offers)),
                site=draw.choice((kitchen.site, other)),
                token=token(),
                rules=rules,
                by=cast.canteen,
            )
        elif what == "cancel" and (asked := Redemption.objects.order_by("?").first()):
            draw.choice((v.cancel_redemption, v.hand_over))(asked.number, by=cast.canteen)
        elif what == "reverse" and (movement := draw.choice([None, *PointMovement.objects.all()])):
            v.reverse_movement(movement.number, why="抽查冲销", by=cast.county)
        elif what == "expire":
            v.expire_points(by=cast.county, on=today + timedelta(days=draw.choice((0, 0, 0, 2000))))
        elif what == "estate" and draw.random() < 0.2:
            v.settle_estate(who, died_on=today, by=cast.county)
        elif what == "pool":
            v.grant_from_pool(who, points=1, token=token(), why="困难", by=cast.county)

    for _step in range(40):
        with suppress(StepRefused):
            act()
        assert v.totals().whole
    by_lot: dict[int, int] = {}
    held: dict[tuple, int] = {}
    for leg in PointLeg.objects.all():
        by_lot[leg.lot_id] = by_lot.get(leg.lot_id, 0) + leg.points
        if leg.account in ("held", "pool", "redeemed", "expired"):
            key = (leg.account, leg.volunteer_id, leg.lot_id, leg.site_id)
            held[key] = held.get(key, 0) + leg.points
    assert set(by_lot.values()) <= {0}, "every lot sums to nought"
    assert min(held.values(), default=0) >= 0, "nobody holds less than nothing"


# ---- who sees what -----------------------------------------------------------------------------------------------


def test_a_volunteer_sees_only_the_own_record(cast, kitchen, rules) -> None:
    mine, other = person(kitchen, cast, username="volunteer"), person(kitchen, cast, 2, name="别人")
    served(kitchen, cast, rules, other)

    assert list(v.volunteers(by=cast.volunteer)) == [mine]
    assert not v.services(by=cast.volunteer).exists()
    for act in (
        lambda: v.volunteer(other.number, by=cast.volunteer),
        lambda: v.give_points(other, mine, points=1, token=token(), by=cast.volunteer),
        lambda: v.redeem(
            other, offer="lunch", site=kitchen.site, token=token(), rules=rules, by=cast.volunteer
        ),
    ):
        with pytest.raises(v.VolunteerNotFound):
            act()
    assert not v.volunteers(by=cast.stranger).exists()


def test_a_strange_login_or_a_wrong_id_registers_nobody(cast, kitchen) -> None:
    create_user(
        username="v2", password="a-long-test-password", display_name="外点志愿", role=Role.VOLUNTEER,
        region_code="520102", organisation="CT-OTHER", by=system_user(),
    )  # fmt: skip

    with pytest.raises(StepRefused, match="身份证号"):
        v.register_volunteer(kitchen.site, name="甲", id_number="520102195803040011", by=cast.canteen)
    with pytest.raises(StepRefused, match="不是本机构"):
        person(kitchen, cast, username="v2")
    first, again = person(kitchen, cast), person(kitchen, cast)
    assert first.pk == again.pk


def test_the_certificate_tells_confirmed_hours_alone(cast, kitchen, rules) -> None:
    mine = person(kitchen, cast, username="volunteer")
    served(kitchen, cast, rules, mine, minutes=90)
    served(kitchen, cast, rules, mine, minutes=600, confirm=False)

    assert v.figures(mine) == {"services": 1, "minutes": 90, "no_shows": 0}
    assert v.certificate(mine.number, by=cast.volunteer).startswith(b"%PDF")
    with pytest.raises(v.VolunteerNotFound):
        v.certificate(mine.number, by=cast.stranger)


def test_neighbours_form_a_group(cast, kitchen) -> None:
    leader, helper, today = person(kitchen, cast), person(kitchen, cast, 2, name="帮手"), timezone.localdate()
    group = v.form_group(kitchen.site, name="三栋互助组", leader=leader, formed_on=today, by=cast.canteen)
    v.join_group(group, helper=helper, on=today, by=cast.canteen)
    v.join_group(group, helper=helper, on=today, by=cast.canteen)
    member = v.join_group(group, diner=kitchen.diners[0], on=today, by=cast.canteen)
    v.leave_group(member.pk, on=today, by=cast.canteen)

    assert group.members.filter(left_on=None).count() == 2
    with pytest.raises(StepRefused):
        v.join_group(group, helper=helper, diner=kitchen.diners[0], on=today, by=cast.canteen)


def test_a_shift_is_a_shift(cast, kitchen, rules) -> None:
    with pytest.raises(StepRefused, match="12 小时"):
        planned(kitchen, cast, rules, hours=13)
    with pytest.raises(StepRefused, match="受助人"):
        planned(kitchen, cast, rules, receiver_name=" ")
    one = planned(kitchen, cast, rules, token="s" * 32)
    assert planned(kitchen, cast, rules, token="s" * 32).pk == one.pk
    assert isinstance(one.starts_at, datetime)
