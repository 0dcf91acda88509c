"""The public part of the resource list at ``/hsds/`` (HSDS 3.0), open to anybody and read only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.http import require_safe

from doudi.contexts.assistance import hsds

SIZE, MOST = 50, 200


def _json(said: Any, status: int = 200) -> HttpResponse:
    return JsonResponse(said, status=status, json_dumps_params={"ensure_ascii": False})


def _count(text: str, fallback: int, most: int) -> int:
    return min(max(int(text), 1), most) if text.isascii() and text.isdecimal() and len(text) < 7 else fallback


@require_safe
def base(request: HttpRequest) -> HttpResponse:
    """Which version this is, and where it is described."""
    profile = "https://docs.openreferral.org/en/3.0/hsds/overview.html"
    described = "https://raw.githubusercontent.com/openreferral/specification/3.0/schema/openapi.json"
    return _json({"version": hsds.VERSION, "profile": profile, "openapi_url": described})


def _listed(read: Callable[[int, int], dict[str, Any]]) -> Callable[[HttpRequest], HttpResponse]:
    @require_safe
    def view(request: HttpRequest) -> HttpResponse:
        page = _count(request.GET.get("page", ""), 1, 100_000)
        return _json(read(page, _count(request.GET.get("per_page", ""), SIZE, MOST)))

    return view


def _one(read: Callable[[str], dict[str, Any] | None]) -> Callable[[HttpRequest, str], HttpResponse]:
    @require_safe
    def view(request: HttpRequest, key: str) -> HttpResponse:
        found = read(key)
        return _json({"detail": "没有这一项 / not found"}, 404) if found is None else _json(found)

    return view


urlpatterns = [
    path("", base, name="hsds"),
    path("services", _listed(hsds.services_page), name="hsds_services"),
    path("services/<str:key>", _one(hsds.one_service), name="hsds_service"),
    path("organizations", _listed(hsds.organizations_page), name="hsds_organizations"),
    path("organizations/<str:key>", _one(hsds.one_organization), name="hsds_organization"),
    path("locations", _listed(hsds.locations_page), name="hsds_locations"),
    path("locations/<str:key>", _one(hsds.one_location), name="hsds_location"),
    path("service_at_locations", _listed(hsds.services_at_locations_page), name="hsds_ats"),
    path("service_at_locations/<str:key>", _one(hsds.one_service_at_location), name="hsds_at"),
    path("taxonomies", _listed(hsds.taxonomies_page), name="hsds_taxonomies"),
    path("taxonomies/<str:key>", _one(hsds.one_taxonomy), name="hsds_taxonomy"),
    path("taxonomy_terms", _listed(hsds.taxonomy_terms_page), name="hsds_terms"),
    path("taxonomy_terms/<str:key>", _one(hsds.one_taxonomy_term), name="hsds_term"),
]
