"""The siting workbench (选址): ask on a form, see the answer on a map and in tables, try changes, compare, adopt, export."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.meals import plan_papers, planning
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.engine.siting import CoordinateSystem, Floor
from doudi.engine.siting.guizhou import DATA, guizhou
from doudi.web.guard import asker
from doudi.web.templatetags.doudi import english, said
from doudi.web.views.kitchen.forms import Token, fresh_token
from doudi.web.views.kitchen.incidents import posted

PAGE = 20
MOST_BYTES = 8 << 20
MOST_DOTS = 3000
"""More demand points than this are not drawn one by one."""
MODELS = {
    "coverage": gettext_lazy("最大覆盖：在点数之内覆盖最多的人"),
    "cover-all": gettext_lazy("全覆盖最少点：人人有点可去，要几个点"),
    "median": gettext_lazy("总距离最短"),
}
SYSTEMS = (
    (CoordinateSystem.WGS84, gettext_lazy("CGCS2000 / WGS84（天地图、测绘、GPS）")),
    (CoordinateSystem.GCJ02, gettext_lazy("GCJ-02（高德、腾讯）")),
    (CoordinateSystem.BD09, gettext_lazy("BD-09（百度）")),
)
_FLOOR = re.compile(r"^(?P<group>[^\s,，]+)[\s,，]+(?P<least>\d{1,4})(?:[\s,，]+(?P<most>\d{1,4}))?$")
_PAIR = re.compile(r"^(?P<lon>-?\d{1,3}(?:\.\d+)?)[\s,，]+(?P<lat>-?\d{1,2}(?:\.\d+)?)$")
_MOVE = re.compile(r"^(?P<id>\S+)[\s,，]+(?P<lon>-?\d{1,3}(?:\.\d+)?)[\s,，]+(?P<lat>-?\d{1,2}(?:\.\d+)?)$")


class PlanForm(forms.Form):
    """A siting question."""

    token = Token()
    name = forms.CharField(label=gettext_lazy("方案名称"), max_length=80)
    model = forms.ChoiceField(label=gettext_lazy("目标"), choices=list(MODELS.items()))
    sites = forms.IntegerField(
        label=gettext_lazy("最多开几个点（含现有）"), min_value=1, max_value=5000, required=False, initial=5
    )
    radius = forms.FloatField(label=gettext_lazy("步行半径（米）"), min_value=1, max_value=50_000)
    detour = forms.FloatField(label=gettext_lazy("绕行系数"), min_value=1, max_value=3)
    delivery_radius = forms.FloatField(label=gettext_lazy("送餐半径（米）"), min_value=1, max_value=100_000)
    time_limit = forms.FloatField(
        label=gettext_lazy("最多算几秒"), min_value=1, max_value=planning.MOST_SECONDS, initial=20
    )
    demand = forms.ChoiceField(label=gettext_lazy("老年人从哪里来"))
    demand_file = forms.FileField(
        label=gettext_lazy("需求点表（CSV 或 Excel）"),
        required=False,
        help_text=gettext_lazy(
            "列：id, lon, lat, weight；可加 hard（困难人数）、radius（半径）、group（乡镇）"
        ),
    )
    points_file = forms.FileField(
        label=gettext_lazy("村（社区）坐标表（CSV 或 Excel，可不传）"),
        required=False,
        help_text=gettext_lazy("列：id（区划代码）, lon, lat；传一次以后都用"),
    )
    candidates_file = forms.FileField(
        label=gettext_lazy("候选点表（CSV 或 Excel，可不传）"),
        required=False,
        help_text=gettext_lazy(
            "列：id, lon, lat；可加 name、capacity、cost、group。不传：每个需求点都是候选点"
        ),
    )
    roads_file = forms.FileField(
        label=gettext_lazy("路网距离表（CSV 或 Excel，可不传）"),
        required=False,
        help_text=gettext_lazy(
            "列：from, to, metres（米）或 minutes（步行分钟）；传了就按路算，表里没有的一对当作走不到"
        ),
    )
    system = forms.ChoiceField(label=gettext_lazy("表里的坐标系"), choices=SYSTEMS)
    keep = forms.BooleanField(label=gettext_lazy("保留现有助餐点"), required=False, initial=True)
    floors = forms.CharField(
        label=gettext_lazy("分组下限和上限（可不填）"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("每行：分组 至少 至多，例如 520102 1 3"),
    )
    budget = forms.FloatField(
        label=gettext_lazy("预算（与 cost 列同单位，可不填）"), min_value=0, required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        rules = chain.siting_rules()
        self.fields["radius"].initial = rules.walking_metres
        self.fields["detour"].initial = rules.detour_flat
        self.fields["detour"].help_text = _("平地 %(flat)s，山地 %(hilly)s") % {
            "flat": rules.detour_flat, "hilly": rules.detour_hilly,
        }  # fmt: skip
        self.fields["delivery_radius"].initial = rules.rural_metres
        sources = [("registry", _("低收入人口登记（60 岁以上）")), ("file", _("上传需求点表"))]
        self.fields["demand"].choices = sources  # type: ignore[attr-defined]

    def clean_floors(self) -> tuple[Floor, ...]:
        found = []
        for line in self.cleaned_data["floors"].splitlines():
            if not line.strip():
                continue
            read = _FLOOR.match(line.strip())
            if read is None:
                raise forms.ValidationError(_("“%(line)s”看不懂，请写：分组 至少 至多") % {"line": line[:40]})
            most = read["most"]
            found.append(Floor(read["group"], int(read["least"]), int(most) if most else None))
        return tuple(found)

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        for name in ("demand_file", "points_file", "candidates_file", "roads_file"):
            file = typed.get(name)
            if file and file.size > MOST_BYTES:
                self.add_error(name, _("文件超过 8 MB。"))
        if typed.get("demand") == "file" and not typed.get("demand_file"):
            self.add_error("demand_file", _("请选择需求点表。"))
        return typed


@require_safe
def plan_list(request: HttpRequest) -> HttpResponse:
    """The plans, and the form that asks for another."""
    return _list(request)


def _list(
    request: HttpRequest, form: PlanForm | None = None, problem: DoudiError | None = None
) -> HttpResponse:
    user = asker(request)
    shown = {
        "page": Paginator(planning.plans(by=user), PAGE).get_page(request.GET.get("page")),
        "form": form or PlanForm(),
        "problem": problem,
        "province": may(user, Act.PLAN_SITES) and "52".startswith(user.region_code) and DATA.is_dir(),
        "token": fresh_token(),
        "may_plan": may(user, Act.PLAN_SITES),
    }
    return render(request, "kitchen/plans.html", shown, status=422 if form is not None else 200)


def _aside(folder: str, name: str, file: UploadedFile[Any]) -> Path:
    path = Path(folder) / f"{name}.csv"
    with path.open("wb") as out:
        for part in file.chunks():
            out.write(part)
    return path


def _question(typed: dict[str, Any], user: User) -> planning.Question:
    system = CoordinateSystem(typed["system"])
    notes: list[tuple[str, str]] = []
    with TemporaryDirectory() as folder:
        if typed["points_file"]:
            path = _aside(folder, "points", typed["points_file"])
            planning.keep_points(path, system, source=typed["points_file"].name[:80], by=user)
        if typed["demand"] == "file":
            points = planning.read_points(_aside(folder, "demand", typed["demand_file"]), system)
        else:
            points, notes = planning.elders(
                chain.rules()[0].feeds, rules=chain.siting_rules(), on=timezone.localdate(), by=user
            )
        if typed["candidates_file"]:
            places = planning.read_places(_aside(folder, "candidates", typed["candidates_file"]), system)
        else:
            places = _at_the_points(points)
        kept = planning.existing_places(by=user) if typed["keep"] else []
        asked = _asked(typed, points, places, kept, notes)
        if typed["roads_file"]:
            path = _aside(folder, "roads", typed["roads_file"])
            asked = planning.by_road(asked, path, rules=chain.siting_rules())
    return asked


def _asked(
    typed: dict[str, Any],
    points: list[planning.Point],
    places: list[planning.Place],
    kept: list[planning.Place],
    notes: list[tuple[str, str]],
) -> planning.Question:
    known = {place.id for place in kept}
    return planning.Question(
        model=typed["model"],
        sites=typed["sites"],
        radius=typed["radius"],
        detour=typed["detour"],
        delivery_radius=typed["delivery_radius"],
        floors=typed["floors"],
        budget=typed["budget"],
        time_limit=typed["time_limit"],
        points=tuple(points),
        places=(*(place for place in places if place.id not in known), *kept),
        notes=tuple(notes),
    )


def _at_the_points(points: list[planning.Point]) -> list[planning.Place]:
    at: dict[str, planning.Place] = {}
    for point in points:
        name = point.id.removesuffix("-f")
        shown = registry.region_name(name) if registry.region_known(name) else ""
        at.setdefault(name, planning.Place(name, point.lon, point.lat, shown, group=point.group))
    return list(at.values())


@posted
def make(request: HttpRequest) -> HttpResponse:
    """Ask; the answer is another page."""
    user = asker(request)
    form = PlanForm(request.POST, request.FILES)
    if not form.is_valid():
        return _list(request, form)
    typed = form.cleaned_data
    try:
        plan = planning.make_plan(
            _question(typed, user),
            token=typed["token"],
            name=typed["name"],
            region_code=user.region_code,
            by=user,
        )
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _list(request, form, problem)
    return redirect("site_plan", number=plan.number)


@posted
def make_province(request: HttpRequest) -> HttpResponse:
    """The shipped province, planned now with its floors."""
    user = asker(request)
    if not "52".startswith(user.region_code):
        raise planning.PlanNotFound(
            "全省方案由负责全省的账号编制。", "The province is planned by an account that answers for it."
        )
    sites = request.POST.get("sites", "300")
    radius = request.POST.get("radius", "5000")
    if not (
        sites.isdigit() and radius.isdigit() and 102 <= int(sites) <= 1510 and 100 <= int(radius) <= 50_000
    ):
        messages.error(request, _("点数 102 到 1510，半径 100 到 50000 米。"))
        return redirect("site_plans")
    asked = planning.province_question(guizhou(), sites_at_most=int(sites), radius=float(radius))
    try:
        plan = planning.make_plan(
            asked,
            token=request.POST.get("token", "")[:32],
            name=_("贵州省示范选址"),
            region_code="52",
            by=user,
        )
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        messages.error(request, said(problem))
        return redirect("site_plans")
    return redirect("site_plan", number=plan.number)


# ---- one plan ----------------------------------------------------------------------------------------------------


@require_safe
def plan_page(request: HttpRequest, number: str) -> HttpResponse:
    """One plan: what is proven, the map, the sites, coverage by township."""
    return _page(request, planning.site_plan(number, by=asker(request)))


def _page(request: HttpRequest, plan: Any, problem: DoudiError | None = None) -> HttpResponse:
    user = asker(request)
    side = 1 if english() else 0
    sites = plan_papers.sites_of(plan)
    turns = chain.siting_rules().turns
    share = float(chain.siting_rules().share_all)
    shown = {
        "plan": plan,
        "problem": problem,
        "model": MODELS[plan.settings["model"]],
        "status": plan_papers.STATUS[plan.result["status"]],
        "steps": plan_papers.steps_of(plan),
        "gap": plan.result["gap"],
        "sites": [
            {"place": place, "load": load, "seats": -(-int(load * share + 0.999) // turns)}
            for place, load in sites
        ],
        "groups": plan_papers.groups_of(plan),
        "communities": plan.result["communities"],
        "reasons": [pair[side] for pair in plan_papers.notes_of(plan)],
        "others": planning.plans(by=user).exclude(pk=plan.pk)[:30],
        "planned": planning.planned_sites(plan),
        "closed": _closed(plan)[:400],
        "token": fresh_token(),
        "picture": _picture(plan),
        "typed": request.POST if problem else {},
        "may_plan": may(user, Act.PLAN_SITES),
        "may_adopt": may(user, Act.ADOPT_PLAN),
    }
    return render(request, "kitchen/plan.html", shown, status=422 if problem else 200)


def _closed(plan: Any) -> list[planning.Place]:
    chosen = set(plan.result["sites"])
    return [planning.Place(*row) for row in plan.candidates if row[0] not in chosen]


def _picture(plan: Any) -> dict[str, Any]:
    """What the map draws; the same stands in the tables."""
    served = plan.result.get("assignment", {})
    dots = plan.demand if len(plan.demand) <= MOST_DOTS else []
    counties: dict[str, list[float]] = {}
    for row in plan.demand:
        sums = counties.setdefault(row[6][:6] or plan.region_code[:6], [0.0, 0.0])
        sums[0] += row[3] if served.get(row[0]) else 0
        sums[1] += row[3]
    return {
        "sites": [
            {"id": place.id, "name": place.name or place.id, "at": [place.lat, place.lon], "load": load,
             "kept": place.existing, "synthetic": place.synthetic}
            for place, load in plan_papers.sites_of(plan)
        ],
        "closed": [
            {"id": place.id, "name": place.name or place.id, "at": [place.lat, place.lon]}
            for place in (_closed(plan) if len(plan.candidates) <= MOST_DOTS else [])
        ],
        "demand": [[row[2], row[1], row[3], 1 if served.get(row[0]) else 0] for row in dots],
        # by road a reach is no circle
        "radius": 0 if plan.roads else plan.settings["radius"] / plan.settings["detour"],
        "counties": {code: sums[0] / sums[1] if sums[1] else 0 for code, sums in counties.items()},
        "words": {
            "close": _("关闭这个点"), "open": _("开这个点"), "persons": _("就近"), "covered": _("步行覆盖"),
            "not_covered": _("未覆盖"), "kept": _("现有"), "synthetic": _("合成坐标"),
            "failed": _("地图读取失败，请看下表。"),
            "note": _("边界仅为示意，不作划界依据；审图号由部署单位随边界文件提供。"), "approval": _("审图号："),
        },
    }  # fmt: skip


@posted
def try_change(request: HttpRequest, number: str) -> HttpResponse:
    """Another set of sites over the same demand."""
    user = asker(request)
    try:
        change = planning.Change(
            close=tuple(request.POST.getlist("close")),
            open=tuple(name for name in request.POST.getlist("open") if name),
            move=_moves(request.POST.get("move", "")),
            add=_adds(request.POST.get("add", "")),
        )
        plan = planning.what_if(
            number,
            change,
            token=request.POST.get("token", "")[:32] or fresh_token(),
            name=request.POST.get("name", "").strip()[:80],
            by=user,
        )
    except DoudiError as problem:
        if problem.code == "not_allowed" or problem.code.endswith("_not_found"):
            raise
        return _page(request, planning.site_plan(number, by=user), problem)
    return redirect("site_plan", number=plan.number)


def _lines(words: str, pattern: re.Pattern[str]) -> list[re.Match[str]]:
    found = []
    for line in filter(None, (line.strip() for line in words[:4000].splitlines())):
        read = pattern.match(line)
        if read is None or not (-180 <= float(read["lon"]) <= 180 and -90 <= float(read["lat"]) <= 90):
            raise planning.StepRefused(
                f"“{line[:40]}”看不懂，坐标请写：经度 纬度。",
                f"{line[:40]!r} cannot be read; write longitude latitude.",
            )
        found.append(read)
    return found


def _adds(words: str) -> tuple[tuple[float, float], ...]:
    return tuple((float(read["lon"]), float(read["lat"])) for read in _lines(words, _PAIR))


def _moves(words: str) -> dict[str, tuple[float, float]]:
    return {read["id"]: (float(read["lon"]), float(read["lat"])) for read in _lines(words, _MOVE)}


@posted
def adopt(request: HttpRequest, number: str) -> HttpResponse:
    """Adopt a plan: its new sites become planned places."""
    user = asker(request)
    try:
        made = planning.adopt_plan(number, by=user)
    except DoudiError as problem:
        if problem.code == "not_allowed" or problem.code.endswith("_not_found"):
            raise
        return _page(request, planning.site_plan(number, by=user), problem)
    messages.success(
        request, _("已采纳，%(count)s 个规划点已建档；取得食品经营许可证后才能营业。") % {"count": len(made)}
    )
    return redirect("site_plan", number=number)


@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """Two plans side by side."""
    user = asker(request)
    numbers = request.GET.get("a", ""), request.GET.get("b", "")
    first, second = (planning.site_plan(number, by=user) if number else None for number in numbers)
    shown: dict[str, Any] = {"first": first, "second": second, "plans": planning.plans(by=user)[:50]}
    if first is not None and second is not None:
        shown["rows"] = planning.compare(first, second)
        a, b = set(first.result["sites"]), set(second.result["sites"])
        names = {row[0]: row[3] or row[0] for plan in (first, second) for row in plan.candidates}
        shown["only_first"] = [names[one] for one in sorted(a - b)]
        shown["only_second"] = [names[one] for one in sorted(b - a)]
        shown["both"] = len(a & b)
    return render(request, "kitchen/compare.html", shown)


@require_safe
def export(request: HttpRequest, number: str, form: str) -> HttpResponse:
    """A plan as a workbook, a map file or a paper."""
    content = plan_papers.export_plan(number, form=form, by=asker(request))
    name = quote(f"选址方案_{number}.{form}")
    return HttpResponse(
        content,
        content_type=plan_papers.FORMS[form],
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"},
    )
