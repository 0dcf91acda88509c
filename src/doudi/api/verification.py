"""Verification of households (核对): requests, authorisations, queries, reports; and checks for another house (异地协查)."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import date
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field, StringConstraints

from doudi import chain
from doudi.api.door import behind, caller
from doudi.api.shapes import Body, Day, Line, Number, Page, Paging, RetryKey, page_of, retriable
from doudi.contexts.accounts.services import Act, User
from doudi.contexts.verification import services as verification
from doudi.engine import identity
from doudi.engine.verification import Obligor
from doudi.house import signing

router = Router(tags=["verification 核对"])

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,40}$")]
"""A code of the pack: a kind, a purpose, a source."""
Position = Annotated[int, Field(ge=1, le=99)]


class RequestRow(Schema):
    """A request to verify a household."""

    number: str = Field(title="委托单号")
    kind: str = Field(title="委托种类")
    purpose: str = Field(title="用途")
    household_no: str = Field(title="户编号")
    region_code: str = Field(title="负责地区")
    requested_by: str = Field(title="委托单位")
    state: str = Field(
        title="状态", description="draft、accepted、authorised、querying、partial、comparing、reported 等"
    )
    as_of: date = Field(title="核对基准日")
    accepted_on: date | None = Field(title="受理日期")
    due_on: date | None = Field(title="出报告期限", description="按工作日推算")


class QueryOut(Schema):
    """What one source said of one person, so far."""

    position: int = Field(title="人员次序")
    source: str = Field(title="来源")
    place: str = Field(title="异地协查单位", description="空为本地来源")
    status: str = Field(
        title="结果状态",
        description="known 已知、no_record 查无、not_arrived 未到、failed 失败、unauthorised 未授权、not_asked 未查",
    )
    due_on: date | None = Field(title="回复期限")
    problem: str = Field(title="问题")


class VerifiedPersonOut(Schema):
    """A person of a request."""

    position: int = Field(title="次序")
    name: str = Field(title="姓名", description="无权查看身份的账号只见姓")
    id_shown: str = Field(title="证件号（遮蔽）")
    relation: str = Field(title="与户主关系")
    authorised: bool = Field(title="授权齐全", description="本委托单的用途和全部来源都有有效授权")


class VerificationReportRow(Schema):
    """A report of a request."""

    number: str = Field(title="报告编号")
    advice: str = Field(title="意见", description="符合、不符合、需入户核实；不是决定")
    partial: bool = Field(title="部分结果")
    issued_on: date = Field(title="出具日期")
    valid_to: date = Field(title="有效至")
    sha256: str = Field(title="SHA-256 摘要")


class RequestWhole(RequestRow):
    """A request with its people, queries and reports."""

    people: list[VerifiedPersonOut] = Field(title="人员")
    queries: list[QueryOut] = Field(title="查询")
    reports: list[VerificationReportRow] = Field(title="报告")


def _row(found: verification.VerificationRequest) -> dict[str, Any]:
    return {name: getattr(found, name) for name in RequestRow.model_fields}


def _whole(found: verification.VerificationRequest, by: User) -> RequestWhole:
    missing = {gap.person.pk for gap in verification.gaps(found)}
    sight = chain.sight(by=by)
    return RequestWhole(
        **_row(found),
        people=[
            VerifiedPersonOut(
                position=person.position,
                name=sight.name(person.name),
                id_shown=identity.mask_id(person.id_number),
                relation=person.relation,
                authorised=person.pk not in missing,
            )
            for person in found.people.all()
        ],
        queries=[
            QueryOut(
                position=query.person.position,
                source=query.source,
                place=query.place,
                status=query.status,
                due_on=query.due_on,
                problem=query.problem,
            )
            for query in verification.latest_queries(found)
        ],
        reports=[
            VerificationReportRow(
                **{name: getattr(report, name) for name in VerificationReportRow.model_fields}
            )
            for report in verification.reports_of(found, by=by)
        ],
    )


class RequestFilters(Paging):
    """Which requests."""

    state: Annotated[str, StringConstraints(pattern=r"^[a-z]{0,12}$")] = Field(
        "open", title="状态", description="open 在办，overdue 超期，all 全部，或一个状态"
    )


@router.get(
    "/verification/requests", response=Page[RequestRow], summary="核对委托单", **behind(Act.VIEW_VERIFICATION)
)
def list_requests(request: HttpRequest, asked: Query[RequestFilters]) -> Any:
    """本辖区的核对委托单。"""
    found = verification.requests(by=caller(request), state="" if asked.state == "all" else asked.state)
    return page_of(found, asked, lambda one: RequestRow(**_row(one)))


class DeclaredIn(Body):
    """What a member declared."""

    person_id: int = Field(ge=1, le=2**62, title="人员序号", description="家庭成员的 person_id")
    item: Line = Field(title="申报项", description="政策包“对照”里的项，如 工资、存款、车辆、房产")
    value: int = Field(ge=0, le=10**13, title="申报数", description="工资、存款单位：分；车辆、房产为件数")


class RequestIn(Body):
    """A household to be verified."""

    household_no: Number = Field(title="户编号")
    kind: Code = Field(title="委托种类")
    purpose: Code = Field(title="用途")
    as_of: Day = Field(title="核对基准日")
    requested_by: Line = Field(title="委托单位")
    declared: list[DeclaredIn] = Field([], title="申报", max_length=500)


@router.post(
    "/verification/requests", response=RequestWhole, summary="委托核对", **behind(Act.REQUEST_VERIFICATION)
)
def open_request(request: HttpRequest, asked: RequestIn, retry_key: RetryKey = None) -> Any:
    """为登记的一户建立委托单并受理；时限从受理起算。没有授权不会查询。"""
    by = caller(request)
    declared: dict[int, dict[str, int]] = {}
    for line in asked.declared:
        declared.setdefault(line.person_id, {})[line.item] = line.value

    def act() -> RequestWhole:
        opened = chain.verify_household(
            asked.household_no, declared=declared, kind=asked.kind, purpose=asked.purpose, as_of=asked.as_of,
            requested_by=asked.requested_by, by=by,
        )  # fmt: skip
        return _whole(opened, by)

    return retriable(request, retry_key, asked, act)


@router.get(
    "/verification/requests/{number}",
    response=RequestWhole,
    summary="一件委托单",
    **behind(Act.VIEW_VERIFICATION),
)
def one_request(request: HttpRequest, number: Number) -> Any:
    """委托单、人员、各来源状态和报告；查看记入审计日志。"""
    by = caller(request)
    return _whole(verification.look_at_request(number, by=by), by)


class AuthorisationIn(Body):
    """A signed authorisation."""

    position: Position = Field(title="人员次序")
    signed_on: Day = Field(title="签署日期")
    way: Literal["paper", "screen", "electronic"] = Field(title="签署方式")
    signer: Line = Field(title="签署人")
    guardian_relation: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=20)] = (
        Field("", title="监护关系")
    )
    limited_capacity: bool = Field(False, title="行为能力受限")
    evidence: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/=]+$", max_length=7_000_000)] = Field(
        title="授权书", description="JPG、PNG 或 PDF，Base64，5 MB 以内"
    )
    evidence_name: Line = Field(title="文件名")


@router.post(
    "/verification/requests/{number}/authorisations",
    response=RequestWhole,
    summary="登记授权书",
    **behind(Act.COLLECT_AUTHORISATION),
)
def authorise(
    request: HttpRequest, number: Number, asked: AuthorisationIn, retry_key: RetryKey = None
) -> Any:
    """登记委托单里一人的授权书，覆盖本单的用途和来源。"""
    by = caller(request)

    def act() -> RequestWhole:
        found = verification.request_of(number, by=by)
        person = found.people.filter(position=asked.position).first()
        if person is None:
            raise verification.StepRefused("委托单里没有这个人。", "No such person in the request.")
        try:
            evidence = base64.b64decode(asked.evidence, validate=True)
        except binascii.Error:
            raise verification.StepRefused("授权书不是 Base64。", "The evidence is not Base64.") from None
        terms = asked.model_dump(exclude={"position", "evidence"})
        chain.authorise_verification(
            name=person.name, id_number=person.id_number, region_code=found.region_code, purposes=[found.purpose],
            sources=found.sources, evidence=evidence, by=by, **terms,
        )  # fmt: skip
        return _whole(found, by)

    return retriable(request, retry_key, asked, act)


@router.post(
    "/verification/requests/{number}/queries",
    response=RequestWhole,
    summary="向各来源发出查询",
    **behind(Act.QUERY_SOURCES),
)
def query(request: HttpRequest, number: Number, retry_key: RetryKey = None) -> Any:
    """对有有效授权的人发出查询；未授权的不发，已问过的不再问。"""
    by = caller(request)

    def act() -> RequestWhole:
        chain.query_sources(number, by=by)
        return _whole(verification.request_of(number, by=by), by)

    return retriable(request, retry_key, None, act)


Fen = Annotated[int, Field(ge=0, le=10**13)]
Word = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=20)]


class ObligorIn(Body):
    """A legal supporter who lives apart."""

    name: Line = Field(title="姓名", min_length=1)
    relation: Word = Field("", title="与被赡养人关系")
    supported: list[Position] = Field(
        title="赡养哪几位成员", description="人员次序", min_length=1, max_length=20
    )
    judged: Fen | None = Field(None, title="判决、调解或协议", description="分/月，每位老人；没有的不填")
    paid: Fen | None = Field(None, title="实际支付", description="分/月，每位老人；没有的不填")
    category: Word = Field("", title="义务人类别")
    persons: int = Field(0, ge=0, le=30, title="义务人家庭人口")
    income: Fen = Field(0, title="义务人家庭月收入", description="分/月")
    parents: int = Field(0, ge=0, le=4, title="赡养老人数", description="含双方父母")


class SupportIn(Body):
    """All supporters of a request; an empty list says there is none."""

    obligors: list[ObligorIn] = Field(title="不共同生活的法定赡养人", max_length=20)


@router.post(
    "/verification/requests/{number}/support",
    response=RequestWhole,
    summary="登记赡养情况",
    **behind(Act.COLLECT_AUTHORISATION),
)
def state_support(request: HttpRequest, number: Number, asked: SupportIn, retry_key: RetryKey = None) -> Any:
    """登记全部不共同生活的法定赡养人；空列表即没有。先看判决协议，再看实际支付，都没有的按政策包公式。再登记一次替换上一次，原登记保留。"""
    by = caller(request)
    obligors = [Obligor(**{**one.model_dump(), "supported": tuple(one.supported)}) for one in asked.obligors]

    def act() -> RequestWhole:
        chain.state_support(number, obligors, by=by)
        return _whole(verification.request_of(number, by=by), by)

    return retriable(request, retry_key, asked, act)


class SourceOut(Schema):
    """How a source does."""

    source: str = Field(title="来源")
    label: str = Field(title="名称")
    sensitivity: str = Field(title="敏感")
    way: str = Field(title="途径", description="file、http、database、snapshot")
    open: int = Field(title="待回复")
    overdue: int = Field(title="超期")
    known: int = Field(title="查得")
    no_record: int = Field(title="查无")
    failed: int = Field(title="失败")
    unauthorised: int = Field(title="未授权")
    hit_rate: float | None = Field(title="查得率")
    lag_hours: float | None = Field(title="平均时滞（小时）")
    calls: int = Field(title="直连次数")
    broken: int = Field(title="直连失败次数")
    fee_fen: int = Field(title="费用（分）", description="单位：分")


@router.get(
    "/verification/sources", response=list[SourceOut], summary="来源台", **behind(Act.VIEW_VERIFICATION)
)
def sources(request: HttpRequest) -> Any:
    """各来源在本辖区的情况。"""
    board = verification.source_board(chain.verification_rules(), by=caller(request))
    same = set(SourceOut.model_fields) - {"source", "label"}
    return [
        SourceOut(
            source=row["source"].code,
            label=row["source"].label,
            **{name: row[name] for name in same},
        )
        for row in board
    ]


class ElementOut(Schema):
    """A data element with its marks."""

    column: str = Field(title="列", description="来源.列名")
    code: str = Field(title="数据元")
    label: str = Field(title="名称")
    major: str = Field(title="大类")
    unit: str = Field(title="单位")
    grade: str = Field(title="敏感", description="低、中、高")
    mask: str = Field(title="遮蔽后的样子")
    roles: list[str] = Field(title="看明文的角色")
    days: int | None = Field(title="报告定稿后保存天数", description="空为随案卷")
    left: str = Field(title="到期留下", description="合计、无，或空")


@router.get(
    "/verification/elements",
    response=list[ElementOut],
    summary="数据元和敏感信息标识",
    **behind(Act.VIEW_VERIFICATION),
)
def elements(request: HttpRequest) -> Any:
    """各来源的列是什么数据元、谁看得见、保存多久；页面、报告、接口、导出都照此遮蔽。"""
    same = set(ElementOut.model_fields) - {"column", "roles"}
    return [
        ElementOut(
            column=f"{row['source'].code}.{column.name}",
            roles=sorted(one.roles),
            **{name: getattr(one, name) for name in same},
        )
        for row in chain.source_catalogue(by=caller(request))
        for column, (_label, one) in zip(row["spec"].columns, row["fields"], strict=True)
    ]


class FoundColumn(Schema):
    """A column of what was found."""

    label: str = Field(title="表头")
    element: str = Field(title="数据元")
    grade: str = Field(title="敏感")


class FoundRow(Schema):
    """A row of what was found."""

    position: int = Field(title="人员次序")
    name: str = Field(title="姓名", description="按标识遮蔽")
    as_of: date = Field(title="数据日期")
    cells: list[str] = Field(title="单元格", description="次序同列；角色不可见的已遮蔽")


class FoundOut(Schema):
    """What one source returned."""

    source: str = Field(title="来源")
    columns: list[FoundColumn] = Field(title="列")
    rows: list[FoundRow] = Field(title="记录")


@router.get(
    "/verification/requests/{number}/rows",
    response=list[FoundOut],
    summary="查得明细（按标识遮蔽）",
    **behind(Act.VIEW_VERIFICATION),
)
def found_rows(request: HttpRequest, number: Number) -> Any:
    """各来源返回的记录，逐格按数据元标识显示或遮蔽；查看记入审计日志。"""
    return [
        FoundOut(
            source=entry["source"],
            columns=[
                FoundColumn(label=label, element=one.code, grade=one.grade) for label, one in entry["columns"]
            ],
            rows=[FoundRow(**row) for row in entry["rows"]],
        )
        for entry in chain.found_rows(number, by=caller(request))
    ]


@router.get(
    "/verification/reports/{number}",
    response=dict[str, Any],
    summary="核对报告（规范 JSON）",
    **behind(Act.VIEW_VERIFICATION),
)
def report(request: HttpRequest, number: Number) -> Any:
    """报告的规范 JSON，逐字节与出具时相同，可用 doudi verify check 查验；含本角色不可见的数据元时拒绝；导出记入审计日志。"""
    return HttpResponse(chain.report_file(number, by=caller(request)), content_type="application/json")


# ---- checks for another house ----------------------------------------------------------------------------------

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_SIGNED = (
    "只给 connectors.yaml 里登记的异地单位：除接口密钥外，请求须按 source-interface.json 的办法签名（X-Doudi-*），"
    "随机数只用一次；答复也签名。"
)


class PaperIn(Body):
    """The authorisation as the asking house registered it; the paper stays there."""

    number: Line = Field(title="授权书编号", min_length=1)
    signed_on: Day = Field(title="签署日期")
    valid_to: Day = Field(title="有效至")
    way: Literal["paper", "screen", "electronic"] = Field(title="签署方式")
    signer: Line = Field(title="签署人", min_length=1)
    guardian_relation: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=20)] = (
        Field("", title="监护关系")
    )
    evidence_sha256: Digest = Field(title="凭证 SHA-256")


class EntrustedPersonIn(Body):
    """A person to be checked."""

    position: Position = Field(title="次序")
    name: Line = Field(title="姓名", min_length=1)
    id_number: Annotated[str, StringConstraints(pattern=r"^[0-9]{17}[0-9X]$")] = Field(title="身份证号")
    relation: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=10)] = Field(
        title="与户主关系"
    )
    sources: list[Code] = Field(title="来源", min_length=1, max_length=60)
    authorisation: PaperIn = Field(title="授权书")


class EntrustedIn(Body):
    """A check that another house entrusts."""

    number: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{6,60}$")] = Field(title="对方协查编号")
    purpose: Code = Field(title="用途")
    as_of: Day = Field(title="核对基准日")
    urban_rural: Literal["城镇", "农村"] = Field(title="城乡")
    requested_by: Line = Field(title="委托单位")
    due_on: Day = Field(title="希望答复期限")
    people: list[EntrustedPersonIn] = Field(title="人员", min_length=1, max_length=30)


class EntrustedOut(Schema):
    """The receipt."""

    number: str = Field(title="对方协查编号")
    receipt: str = Field(title="回执", description="本地委托单号")
    state: str = Field(title="状态")
    due_on: date | None = Field(title="答复期限")


class EntrustedAnswer(Schema):
    """What one source said of one person."""

    position: int = Field(title="人员次序")
    source: str = Field(title="来源")
    status: str = Field(title="结果状态")
    as_of: date | None = Field(title="数据日期")
    rows: list[dict[str, str]] = Field(title="记录", description="列名 → 文本")
    why: str = Field(title="失败原因")


class EntrustedAnswers(EntrustedOut):
    """The check with what was answered so far."""

    answers: list[EntrustedAnswer] = Field(title="答复")


class WithdrawnIn(Body):
    """Who withdrew."""

    positions: list[Position] = Field(title="人员次序", min_length=1, max_length=30)


class Stopped(Schema):
    """How many open queries stopped."""

    number: str = Field(title="对方协查编号")
    stopped: int = Field(title="停止的查询")


def _sender(request: HttpRequest) -> verification.Sender:
    return verification.sender_of(
        request.method or "", request.get_full_path(), request.body, request.headers, by=caller(request)
    )


def _signed(sender: verification.Sender, told: Schema) -> HttpResponse:
    body = json.dumps(told.model_dump(mode="json"), ensure_ascii=False).encode()
    answer = HttpResponse(body, content_type="application/json")
    answer[signing.SIGNATURE] = signing.sign_answer(
        body, nonce=sender.nonce, secret=sender.secret, algorithm=sender.algorithm
    )
    return answer


def _receipt(found: verification.VerificationRequest) -> dict[str, Any]:
    return {
        "number": found.entrusted_number,
        "receipt": found.number,
        "state": found.state,
        "due_on": found.due_on,
    }


@router.post(
    "/verification/entrusted",
    response=EntrustedOut,
    summary="接收异地协查",
    description=_SIGNED,
    **behind(Act.TAKE_ENTRUSTED),
)
def take_entrusted(request: HttpRequest, asked: EntrustedIn) -> Any:
    sender = _sender(request)
    people = [
        verification.EntrustedPerson(
            **person.model_dump(exclude={"authorisation"}),
            authorisation=verification.EntrustedPaper(**person.authorisation.model_dump()),
        )
        for person in asked.people
    ]
    terms = asked.model_dump(exclude={"people", "due_on"})
    return _signed(
        sender,
        EntrustedOut(**_receipt(chain.take_entrusted(sender, people=people, by=caller(request), **terms))),
    )


@router.get(
    "/verification/entrusted/{number}",
    response=EntrustedAnswers,
    summary="异地协查的答复",
    description=_SIGNED,
    **behind(Act.TAKE_ENTRUSTED),
)
def entrusted_answers(request: HttpRequest, number: Number) -> Any:
    sender = _sender(request)
    found, answers = chain.entrusted_answers(sender, number, by=caller(request))
    return _signed(
        sender, EntrustedAnswers(**_receipt(found), answers=[EntrustedAnswer(**one) for one in answers])
    )


@router.post(
    "/verification/entrusted/{number}/withdraw",
    response=Stopped,
    summary="异地协查：本人撤回授权",
    description=_SIGNED,
    **behind(Act.TAKE_ENTRUSTED),
)
def stop_entrusted(request: HttpRequest, number: Number, asked: WithdrawnIn) -> Any:
    sender = _sender(request)
    stopped = verification.stop_entrusted(sender, number, asked.positions, by=caller(request))
    return _signed(sender, Stopped(number=number, stopped=stopped))
