"""The public part of the resource list as HSDS 3.0 (Open Referral Human Services Data Specification).

A project is a service, its provider an organization, its address a location, where it is given a service at location.
Layer, kind of help and beneficiaries are terms of three taxonomies, and a service's attributes point to them. Identifiers
are UUIDs made of the project's number, so that the same project keeps the same one.
"""

from __future__ import annotations

import uuid
from datetime import datetime, time
from typing import Any

from django.utils import timezone

from doudi.contexts.assistance.resource_models import Resource
from doudi.contexts.assistance.resources import is_stale, public_resources
from doudi.contexts.registry import services as registry

VERSION = "3.0"
_SPACE = uuid.UUID("6f1f8a52-4d0a-5f0e-9a38-9d1f0b7c2e11")


def _id(kind: str, name: str) -> str:
    return str(uuid.uuid5(_SPACE, f"{kind}:{name}"))


def organization(provider: str, county: str) -> dict[str, Any]:
    """The organization that gives a service."""
    place = registry.region_name(county) if county else "全国"
    return {
        "id": _id("organization", f"{county}:{provider}"),
        "name": provider,
        "description": f"{place}救助资源项目的提供单位",
    }


def _taxonomies() -> dict[str, tuple[str, str, dict[str, str]]]:
    """Taxonomy → name, description, and its terms: code → name."""
    categories = {code: label for label, code in registry.CATEGORY_CODES.items()} | {"NONE": "不限类别"}
    return {
        "layer": ("救助层次", "分层分类救助的层次（国办发〔2023〕39号）", dict(Resource.Layer.choices)),
        "content": ("帮扶内容", "给钱、给物还是服务", dict(Resource.Content.choices)),
        "beneficiary": ("对象类别", "低收入人口类别", categories),
    }


def taxonomies() -> list[dict[str, Any]]:
    """The taxonomies that the list uses."""
    return [
        {"id": _id("taxonomy", code), "name": name, "description": about, "version": VERSION}
        for code, (name, about, _terms) in _taxonomies().items()
    ]


def _term(taxonomy: str, code: str, name: str) -> dict[str, Any]:
    return {
        "id": _id("term", f"{taxonomy}:{code}"),
        "code": code,
        "name": name,
        "description": f"{_taxonomies()[taxonomy][0]}：{name}",
        "taxonomy": _taxonomies()[taxonomy][0],
        "taxonomy_id": _id("taxonomy", taxonomy),
        "language": "zh",
    }


def taxonomy_terms() -> list[dict[str, Any]]:
    """Every term of every taxonomy."""
    return [
        _term(taxonomy, code, str(name))
        for taxonomy, (_name, _about, terms) in _taxonomies().items()
        for code, name in terms.items()
    ]


def _attributes(found: Resource) -> list[dict[str, Any]]:
    """What kind of service it is, as terms of the taxonomies."""
    key = _id("service", found.resource_no)
    said = [("layer", found.layer), ("content", found.content)]
    said += [("beneficiary", code) for code in found.categories or ["NONE"]]
    terms = {name: parts[2] for name, parts in _taxonomies().items()}
    return [
        {
            "id": _id("attribute", f"{found.resource_no}:{taxonomy}:{code}"),
            "link_id": key,
            "link_entity": "service",
            "taxonomy_term_id": _id("term", f"{taxonomy}:{code}"),
            "taxonomy_term": _term(taxonomy, code, str(terms[taxonomy].get(code, code))),
        }
        for taxonomy, code in said
    ]


def _at(found: Resource) -> dict[str, Any] | None:
    """Where a service is given, with the telephone there."""
    where = _location(found)
    if where is None:
        return None
    key = _id("at", found.resource_no)
    said: dict[str, Any] = {
        "id": key,
        "service_id": _id("service", found.resource_no),
        "location_id": where["id"],
        "description": f"{found.name}，{found.address}",
        "location": where,
    }
    if found.contact:
        said["phones"] = [
            {
                "id": _id("phone_at", found.resource_no),
                "service_at_location_id": key,
                "number": found.contact,
            }
        ]
    return said


def _location(found: Resource) -> dict[str, Any] | None:
    if not found.address:
        return None
    key = _id("location", f"{found.region_code}:{found.address}")
    county = found.region_code[:6]
    return {
        "id": key,
        "location_type": "physical",
        "name": found.provider,
        "addresses": [
            {
                "id": _id("address", key),
                "address_1": found.address,
                "city": registry.region_name(county[:4]) or registry.region_name(county) or "—",
                "state_province": registry.region_name(county[:2]) or "—",
                "postal_code": "000000",
                "country": "CN",
                "address_type": "physical",
            }
        ],
    }


def service(found: Resource, *, full: bool = True) -> dict[str, Any]:
    """A project as an HSDS service; in a list without the parts that have a page of their own."""
    key = _id("service", found.resource_no)
    today = timezone.localdate()
    checked = timezone.make_aware(datetime.combine(found.checked_on, time()))
    said: dict[str, Any] = {
        "id": key,
        "name": found.name,
        "alternate_name": found.resource_no,
        "description": "；".join(filter(None, (found.description, found.amount, f"依据：{found.basis}"))),
        "status": "active",
        "application_process": found.channel,
        "wait_time": found.time_limit or None,
        "eligibility_description": "；".join(filter(None, (_whom(found), found.condition))),
        "minimum_age": found.age_from,
        "maximum_age": found.age_to,
        "assured_date": found.checked_on.isoformat(),
        "last_modified": checked.isoformat(),
        "alert": "信息超过六个月未核对，请先电话确认" if is_stale(found, today) else None,
        "organization": organization(found.provider, found.region_code[:6]),
    }
    said = {name: value for name, value in said.items() if value is not None}
    if not full:
        return said
    said["required_documents"] = [
        {"id": _id("document", f"{found.resource_no}:{paper}"), "service_id": key, "document": paper}
        for paper in filter(None, found.papers.replace("，", "、").split("、"))
    ]
    said["phones"] = (
        [{"id": _id("phone", found.resource_no), "service_id": key, "number": found.contact}]
        if found.contact
        else []
    )
    said["service_areas"] = [
        {
            "id": _id("area", found.resource_no),
            "service_id": key,
            "name": registry.region_name(found.region_code) if found.region_code else "全国",
        }
    ]
    at = _at(found)
    said["service_at_locations"] = [at] if at else []
    said["attributes"] = _attributes(found)
    return said


def services_page(page: int, size: int) -> dict[str, Any]:
    """A page of services, in the shape of HSDS."""
    return _page([service(found, full=False) for found in public_resources()], page, size)


def one_service(key: str) -> dict[str, Any] | None:
    """One service by its identifier."""
    return next((service(f) for f in public_resources() if _id("service", f.resource_no) == key), None)


def _organizations() -> list[dict[str, Any]]:
    known: dict[str, dict[str, Any]] = {}
    for found in public_resources():
        said = organization(found.provider, found.region_code[:6])
        known[said["id"]] = said
    return list(known.values())


def organizations_page(page: int, size: int) -> dict[str, Any]:
    """A page of organizations."""
    return _page(_organizations(), page, size)


def one_organization(key: str) -> dict[str, Any] | None:
    """One organization by its identifier."""
    return next((said for said in _organizations() if said["id"] == key), None)


def _locations() -> list[dict[str, Any]]:
    known = [where for found in public_resources() if (where := _location(found)) is not None]
    return list({where["id"]: where for where in known}.values())


def locations_page(page: int, size: int) -> dict[str, Any]:
    """A page of locations."""
    return _page(_locations(), page, size)


def one_location(key: str) -> dict[str, Any] | None:
    """One location by its identifier."""
    return next((where for where in _locations() if where["id"] == key), None)


def _with_service(found: Resource) -> dict[str, Any] | None:
    at = _at(found)
    return None if at is None else {**at, "service": service(found, full=False)}


def services_at_locations_page(page: int, size: int) -> dict[str, Any]:
    """A page of services at locations."""
    return _page([at for f in public_resources() if (at := _with_service(f)) is not None], page, size)


def one_service_at_location(key: str) -> dict[str, Any] | None:
    """One service at its location by its identifier."""
    return next((_with_service(f) for f in public_resources() if _id("at", f.resource_no) == key), None)


def taxonomies_page(page: int, size: int) -> dict[str, Any]:
    """A page of taxonomies."""
    return _page(taxonomies(), page, size)


def one_taxonomy(key: str) -> dict[str, Any] | None:
    """One taxonomy by its identifier."""
    return next((said for said in taxonomies() if said["id"] == key), None)


def taxonomy_terms_page(page: int, size: int) -> dict[str, Any]:
    """A page of terms."""
    return _page(taxonomy_terms(), page, size)


def one_taxonomy_term(key: str) -> dict[str, Any] | None:
    """One term by its identifier."""
    return next((said for said in taxonomy_terms() if said["id"] == key), None)


def _page(rows: list[dict[str, Any]], page: int, size: int) -> dict[str, Any]:
    pages = max(-(-len(rows) // size), 1)
    return {
        "total_items": len(rows),
        "total_pages": pages,
        "page_number": page,
        "size": size,
        "first_page": page == 1,
        "last_page": page >= pages,
        "empty": not rows[(page - 1) * size : page * size],
        "contents": rows[(page - 1) * size : page * size],
    }


def _whom(found: Resource) -> str:
    names = {code: label for label, code in registry.CATEGORY_CODES.items()} | {"NONE": "不限类别"}
    return "、".join(names.get(code, code) for code in found.categories) or "不限类别"
