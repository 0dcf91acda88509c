"""Every column that points to a person or a household is declared, with what a merge of people does to it."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.apps import apps
from django.db import models

from doudi import chain
from doudi.chain import REFERENCES
from doudi.contexts.assistance.services import PaymentStop
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.models import Household, Person

NAMES = ("household_no", "person_id", "person_key", "household_id", "household_key", "subject")


def test_no_reference_to_people_is_undeclared() -> None:
    found = set()
    for config in apps.get_app_configs():
        if not config.name.startswith("doudi.contexts."):
            continue
        for model in config.get_models():
            for field in model._meta.get_fields():
                if not isinstance(field, models.Field):
                    continue
                to = field.remote_field.model if field.is_relation and field.remote_field else None
                if to in (Person, Household) or (to is None and field.name in NAMES):
                    found.add(f"{model._meta.label}.{field.name}")

    assert found == set(REFERENCES)


def test_a_merge_turns_what_higher_contexts_hold_and_back(county: Any, by: Any) -> None:
    keep, away = (Person.objects.get(name=name) for name in ("张伟", "王强"))
    stop = PaymentStop.objects.create(
        source="test-1",
        household_no="H002",
        person_id=away.pk,
        region_code="520102016",
        stop_from=date(2024, 12, 1),
        ground="测试",
        decided_by="officer",
    )

    merge = chain.merge_people(keep, away, ground="证明为同一人", by=by)
    assert PaymentStop.objects.get(pk=stop.pk).person_id == keep.pk

    chain.undo_change(merge.number, ground="实为两人", by=by)
    assert PaymentStop.objects.get(pk=stop.pk).person_id == away.pk
    assert registry.person_by_id(away.id_number) == away
