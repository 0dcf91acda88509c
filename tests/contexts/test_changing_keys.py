"""Keys are changed while people work: nothing is lost on the way, a kill goes on, an old key goes only when unused."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from doudi import chain
from doudi.contexts.registry.models import Person
from doudi.engine.errors import DoudiError
from doudi.house import resealing
from doudi.house.attachments import keep_attachment, keep_single, open_attachment, open_single
from doudi.house.keyring import key_number, keyring
from doudi.house.sealed_files import open_file, seal_file

pytestmark = pytest.mark.django_db
PNG = b"\x89PNG\r\n\x1a\n picture"


def _everything() -> dict[str, list]:
    return {
        model._meta.label: list(model.objects.order_by("pk").values_list("pk", *[c.name for c in columns]))
        for model, columns in resealing.sealed_columns()
    }


def test_everything_sealed_is_sealed_anew_and_says_the_same(county, by, office, tmp_path):
    digest = keep_attachment(PNG).digest
    name = keep_single(b"photo", purpose="field.file")
    plain = tmp_path / "plain"
    plain.write_bytes(b"x" * 3_000_000)
    seal_file(plain, office / "exports" / "DC-1.sealed", purpose="export:DC-1")
    before = _everything()
    assert sum(map(len, before.values())) > 5

    ring, done, left = chain.rotate_keys(by=by)

    assert (ring.active, ring.rotating, left) == (2, False, [])
    assert _everything() == before
    assert done["registry.Person"] and done["originals"] and done["evidence"] == 2 and done["exports"] == 1
    assert open_attachment(digest)[0] == PNG
    assert open_single(name, purpose="field.file") == b"photo"
    assert (
        b"".join(open_file(office / "exports" / "DC-1.sealed", purpose="export:DC-1")) == plain.read_bytes()
    )
    with connection.cursor() as cursor:
        cursor.execute("select id_number from registry_person")
        assert {key_number(bytes(row[0])) for row in cursor.fetchall()} == {2}
    assert chain.explain("H002", as_of=_as_of())


def _as_of():
    from datetime import date

    from tests.small_county import AS_OF

    return date.fromisoformat(AS_OF)


def test_a_rotation_that_was_killed_goes_on_with_the_same_key(county, by, monkeypatch):
    before = _everything()
    real, seen = resealing._reseal_table, []

    def killed(model, columns):
        seen.append(model)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return real(model, columns)

    monkeypatch.setattr(resealing, "_reseal_table", killed)
    with pytest.raises(KeyboardInterrupt):
        chain.rotate_keys(by=by)
    assert keyring().rotating
    assert _everything() == before, "in the middle everything opens, with either key"
    with pytest.raises(DoudiError, match="keys rotate"):
        chain.drop_key(1, after_days=0, by=by)

    monkeypatch.setattr(resealing, "_reseal_table", real)
    ring, _done, left = chain.rotate_keys(by=by)

    assert (ring.active, ring.rotating, left) == (2, False, [])
    assert _everything() == before


def test_a_value_changed_meanwhile_is_not_written_over(county, by, monkeypatch):
    person = Person.objects.order_by("pk").first()
    real = keyring().__class__.open

    def and_change(ring, sealed, *, purpose):
        plain = real(ring, sealed, purpose=purpose)
        if purpose == "person.phone" and plain.decode() == person.phone:
            monkeypatch.setattr(keyring().__class__, "open", real)
            Person.objects.filter(pk=person.pk).update(phone="13900000001")
        return plain

    monkeypatch.setattr(keyring().__class__, "open", and_change)
    chain.rotate_keys(by=by)

    person.refresh_from_db()
    assert person.phone == "13900000001"


def test_an_old_key_goes_only_when_nothing_needs_it_and_some_time_has_passed(county, by, office):
    chain.rotate_keys(by=by)
    stranger = office / "evidence" / "somebody-elses.sealed"
    from doudi.house import keyring as rings

    ring = keyring()
    old = rings.KeyRing(**{**ring.__dict__, "active": 1})
    stranger.write_bytes(old.seal(b"x", purpose="nobody declared this"))

    with pytest.raises(DoudiError, match="evidence"):
        chain.drop_key(1, after_days=0, by=by)
    stranger.unlink()
    with pytest.raises(DoudiError, match="30 天"):
        chain.drop_key(1, after_days=30, by=by)
    with pytest.raises(DoudiError, match="正在使用"):
        chain.drop_key(2, after_days=0, by=by)

    assert set(chain.drop_key(1, after_days=0, by=by).sealing) == {2}
    assert Person.objects.first().id_number


@pytest.mark.django_db(transaction=True)
def test_people_write_while_keys_change(county, by):
    stop, wrong, written = threading.Event(), [], []
    pk = Person.objects.order_by("pk").first().pk

    def clerk() -> None:
        try:
            while not stop.is_set():
                phone = f"139{len(written):08d}"
                Person.objects.filter(pk=pk).update(phone=phone)
                if Person.objects.get(pk=pk).phone != phone:
                    wrong.append(phone)
                written.append(phone)
        except Exception as problem:
            wrong.append(problem)
        finally:
            connection.close()

    worker = threading.Thread(target=clerk)
    worker.start()
    try:
        while not written:
            pass
        chain.rotate_keys(by=by)
    finally:
        stop.set()
        worker.join()

    assert wrong == []
    assert Person.objects.get(pk=pk).phone == written[-1]


def test_every_way_of_keeping_a_file_singly_is_declared():
    """A file whose purpose nobody declared could never be sealed anew."""
    import re
    from pathlib import Path

    for path in Path("src/doudi").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        if re.search(r"import .*keep_single", source):
            assert "declare_single(" in source, path
