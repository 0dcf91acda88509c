"""Charity's money by program: funds and their balances, gifts, uses by three hands, disclosures."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from doudi import chain
from doudi.api.door import behind, caller
from doudi.api.shapes import Body, Day, Fen, Line, Number, Page, Paging, RetryKey, Text, page_of, retriable
from doudi.contexts.accounts.services import Act, User
from doudi.contexts.charity import giving

router = Router(tags=["giving 慈善资金"])


class FundOut(Schema):
    """A fund of a charity."""

    number: str = Field(title="资金编号")
    organisation: str = Field(title="慈善组织", description="统一社会信用代码")
    kind: str = Field(title="种类", description="general、restricted、special、named")
    name: str = Field(title="名称")
    purposes: list[str] = Field(title="用途", description="需求种类的码；空为不限")
    groups: list[str] = Field(title="受益群体")
    regions: list[str] = Field(title="使用地区", description="行政区划代码前缀")
    free_money_fen: int = Field(title="未安排资金（分）")
    held_money_fen: int = Field(title="已安排待支付资金（分）")
    free_goods_fen: int = Field(title="未安排物资（分）")
    held_goods_fen: int = Field(title="已安排待发放物资（分）")
    given_fen: int = Field(title="累计接受捐赠（分）")
    expires_on: date | None = Field(title="期满日期")
    closed_on: date | None = Field(title="终止日期")


class BalanceOut(Schema):
    """The balances of a fund at the end of a day."""

    number: str = Field(title="资金编号")
    on: date = Field(title="日期")
    balances: dict[str, int] = Field(title="各科目余额（分）", description="借为正，贷为负；合计为零")


class GiftOut(Schema):
    """A gift; who gave is whole for the charity itself alone."""

    number: str = Field(title="捐赠编号")
    fund: str = Field(title="入账资金")
    donor: str = Field(title="捐赠人", description="本组织见全名，民政和审计只见姓，匿名为“匿名”")
    anonymous: bool = Field(title="匿名")
    asset: str = Field(title="种类", description="money、goods")
    amount_fen: int = Field(title="金额或公允价值（分）")
    goods_name: str = Field(title="物资名称")
    quantity: int | None = Field(title="数量")
    received_on: date = Field(title="收到日期")
    receipt_no: str = Field(title="票据号")
    voucher: str = Field(title="凭证号")


class UseOut(Schema):
    """A use of a fund; never who was helped."""

    number: str = Field(title="安排编号")
    fund: str = Field(title="资金")
    status: str = Field(title="状态", description="proposed、approved、refused、released、paid")
    asset: str = Field(title="种类")
    amount_fen: int = Field(title="金额（分）")
    paid_fen: int = Field(title="已拨付（分）")
    held_fen: int = Field(title="待拨付（分）")
    purpose: str = Field(title="用途")
    group: str = Field(title="受益群体")
    region_code: str = Field(title="使用地区")
    need_code: str = Field(title="需求编号")
    use: str = Field(title="用于")
    proposed_by: str = Field(title="提出人")
    decided_by: str = Field(title="审批人")


class DutyOut(Schema):
    """A disclosure that is owed."""

    id: int = Field(title="序号")
    organisation: str = Field(title="慈善组织")
    about: str = Field(title="事项")
    part: str = Field(title="内容", description="interim、final、annual")
    from_on: date = Field(title="自")
    until_on: date = Field(title="至")
    due_on: date = Field(title="公开期限")
    published: list[str] = Field(title="公开编号")


def _fund(fund: giving.Fund) -> FundOut:
    names = [name for name in FundOut.model_fields if name != "organisation"]
    return FundOut(organisation=fund.organisation.code, **{name: getattr(fund, name) for name in names})


def _gift(gift: giving.Donation, by: User) -> GiftOut:
    kept = (
        "number",
        "anonymous",
        "asset",
        "amount_fen",
        "goods_name",
        "quantity",
        "received_on",
        "receipt_no",
    )
    return GiftOut(
        fund=gift.fund.number,
        donor=giving.donor_shown(gift, by),
        voucher=gift.entry.voucher,
        **{name: getattr(gift, name) for name in kept},
    )


def _use(use: giving.Allocation) -> UseOut:
    names = [name for name in UseOut.model_fields if name not in ("fund", "held_fen")]
    return UseOut(
        fund=use.fund.number, held_fen=giving.held(use), **{name: getattr(use, name) for name in names}
    )


def _duty(duty: giving.DisclosureDuty) -> DutyOut:
    about = (
        duty.campaign.title
        if duty.campaign
        else duty.project.name
        if duty.project
        else f"{duty.until_on.year}"
    )
    return DutyOut(
        id=duty.pk, organisation=duty.organisation.code, about=about, part=duty.part, from_on=duty.from_on,
        until_on=duty.until_on, due_on=duty.due_on, published=[one.number for one in duty.published.all()],
    )  # fmt: skip


@router.get("/funds", response=Page[FundOut], summary="资金列表", **behind(Act.VIEW_FUNDS))
def list_funds(request: HttpRequest, asked: Query[Paging]) -> Any:
    """慈善组织见本组织的，民政和审计见本辖区的。"""
    return page_of(giving.funds(by=caller(request)), asked, _fund)


@router.get("/funds/{number}/balance", response=BalanceOut, summary="某日余额", **behind(Act.VIEW_FUNDS))
def fund_balance(request: HttpRequest, number: Number, on: Day | None = None) -> Any:
    """一项资金在某日终了时各科目的余额；不写日期为今天。"""
    fund = giving.fund_of(number, by=caller(request))
    day = on or timezone.localdate()
    balances = {account.value: giving.balance_on(fund, account, day) for account in giving.Account}
    return BalanceOut(number=number, on=day, balances=balances)


class Gift(Body):
    """A gift to enter."""

    amount_fen: Fen = Field(title="金额或公允价值（分）")
    received_on: Day = Field(title="收到日期")
    handler: Line = Field(title="经手人")
    way: Literal["bank", "cash", "platform", "handed"] = Field(title="捐赠方式")
    asset: Literal["money", "goods"] = Field("money", title="种类")
    donor_name: Line = Field("", title="捐赠人", description="匿名为空")
    donor_kind: Literal["person", "body"] = Field("person", title="捐赠人类型")
    anonymous: bool = Field(False, title="匿名")
    show_name: bool = Field(False, title="同意公开姓名")
    receipt_no: Line = Field("", title="票据号")
    receipt_declined: bool = Field(False, title="不要票据")
    goods_name: Line = Field("", title="物资名称")
    unit: Line = Field("", title="计量单位")
    quantity: int | None = Field(None, ge=1, le=10**7, title="数量")
    goods_expire_on: Day | None = Field(None, title="有效期至")
    intent: Text = Field("", title="捐赠意愿")


@router.get("/gifts", response=Page[GiftOut], summary="捐赠列表", **behind(Act.VIEW_FUNDS))
def list_gifts(request: HttpRequest, asked: Query[Paging]) -> Any:
    """新的在前。"""
    by = caller(request)
    return page_of(giving.donations(by=by), asked, lambda gift: _gift(gift, by))


@router.post("/funds/{number}/gifts", response=GiftOut, summary="登记捐赠", **behind(Act.KEEP_FUNDS))
def enter_gift(request: HttpRequest, number: Number, asked: Gift, retry_key: RetryKey = None) -> Any:
    """把一笔捐赠记入一项资金。"""
    by = caller(request)

    def enter() -> GiftOut:
        return _gift(giving.record_gift(fund_number=number, by=by, **asked.model_dump()), by)

    return retriable(request, retry_key, asked, enter)


class Use(Body):
    """A use to propose."""

    amount_fen: Fen = Field(title="金额（分）")
    purpose: Line = Field(title="用途", description="需求种类的码")
    group: Line = Field("", title="受益群体")
    region_code: Line = Field(title="使用地区")
    use: Line = Field(title="用于", description="会公开，不写姓名、证件号和电话")
    need_code: Line = Field("", title="需求编号")


class UseFilters(Paging):
    """Which uses."""

    status: Literal["", "proposed", "approved", "refused", "released", "paid"] = Field("", title="状态")


@router.get("/uses", response=Page[UseOut], summary="安排列表", **behind(Act.VIEW_FUNDS))
def list_uses(request: HttpRequest, asked: Query[UseFilters]) -> Any:
    """资金的安排和拨付，不含受助人。"""
    return page_of(giving.allocations(by=caller(request), status=asked.status), asked, _use)


@router.post("/funds/{number}/uses", response=UseOut, summary="提出安排", **behind(Act.KEEP_FUNDS))
def propose_use(request: HttpRequest, number: Number, asked: Use, retry_key: RetryKey = None) -> Any:
    """提出资金安排，由另一人审批。"""
    by = caller(request)

    def propose() -> UseOut:
        return _use(
            giving.propose_allocation(
                fund_number=number, rules=chain.giving_rules(), by=by, **asked.model_dump()
            )
        )

    return retriable(request, retry_key, asked, propose)


class UseDecision(Body):
    """Yes or no."""

    approve: bool = Field(title="同意")
    note: Line = Field("", title="意见", description="不同意必填")


@router.post("/uses/{number}/decide", response=UseOut, summary="审批安排", **behind(Act.DECIDE_FUNDS))
def decide_use(request: HttpRequest, number: Number, asked: UseDecision, retry_key: RetryKey = None) -> Any:
    """审批人不能是提出人。"""
    by = caller(request)
    return retriable(
        request, retry_key, asked, lambda: _use(giving.decide_allocation(number, by=by, **asked.model_dump()))
    )


class Payment(Body):
    """A payment."""

    on: Day = Field(title="拨付日期")
    amount_fen: Fen | None = Field(None, title="金额（分）", description="空为全部")


@router.post("/uses/{number}/pay", response=UseOut, summary="拨付", **behind(Act.PAY_FUNDS))
def pay_use(request: HttpRequest, number: Number, asked: Payment, retry_key: RetryKey = None) -> Any:
    """支付人不能是审批人；为认领的需求拨付的，同时登记给予和备案。"""
    by = caller(request)

    def pay() -> UseOut:
        return _use(chain.pay_use(number, by=by, **asked.model_dump()).allocation)

    return retriable(request, retry_key, asked, pay)


class OutcomeIn(Body):
    """What came of it."""

    result: Literal["solved", "partly", "unsolved", "not_needed"] = Field(title="结果")
    people: int = Field(ge=0, le=10**6, title="受益人数")
    text: Text = Field(title="情况", description="会公开，不写姓名、证件号和电话")
    on: Day = Field(title="日期")


@router.post("/uses/{number}/outcome", response=UseOut, summary="登记结果", **behind(Act.KEEP_FUNDS))
def enter_outcome(request: HttpRequest, number: Number, asked: OutcomeIn, retry_key: RetryKey = None) -> Any:
    """登记帮扶结果，捐赠人可以查到。"""
    by = caller(request)

    def enter() -> UseOut:
        return _use(giving.record_outcome(number, by=by, **asked.model_dump()).allocation)

    return retriable(request, retry_key, asked, enter)


class DutyFilters(Paging):
    """Which disclosures."""

    state: Literal["open", "late", "done"] = Field("open", title="状态")


@router.get("/disclosures", response=Page[DutyOut], summary="信息公开事项", **behind(Act.VIEW_FUNDS))
def list_disclosures(request: HttpRequest, asked: Query[DutyFilters]) -> Any:
    """待公开、已逾期、已公开的事项和期限。"""
    found = giving.duties(by=caller(request), state=asked.state).prefetch_related("published")
    return page_of(found, asked, _duty)
