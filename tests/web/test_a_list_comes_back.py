"""The clerk's road: export, change in Excel, send back, look, confirm, take the answers."""

from __future__ import annotations

import io
import re
from pathlib import Path

import openpyxl
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from doudi.contexts.registry.models import FeedLoad, Person
from doudi.contexts.registry.services import PERSONS
from tests.small_county import ZHANG_WEI


def exported(desk) -> bytes:
    desk.post(
        reverse("persons"),
        {
            "act": "export",
            "export_columns": ["name", "phone_whole", "address"],
            "export_reason": "电话住址核对",
        },
    )
    take = re.search(r'action="(/exports/\d+/take/)"', desk.get(reverse("exports")).content.decode())
    return b"".join(desk.post(take[1]).streaming_content)


def changed(content: bytes, name: str, **cells: str) -> SimpleUploadedFile:
    book = openpyxl.load_workbook(io.BytesIO(content))
    sheet = book.active
    columns = {cell.value: cell.column for cell in sheet[2]}
    line = next(row for row in range(3, sheet.max_row + 1) if sheet.cell(row, 1).value == name)
    for label, value in cells.items():
        sheet.cell(line, columns[label]).value = value
    out = io.BytesIO()
    book.save(out)
    return SimpleUploadedFile("改好.xlsx", out.getvalue())


def test_a_changed_list_is_looked_at_confirmed_and_answered(county, browser) -> None:
    desk = browser(county.township)
    file = changed(exported(desk), "张伟", 联系电话="13912345678", 住址="x" * 300)
    assert PERSONS and reverse("return_list") in desk.get(reverse("exports")).content.decode()

    answer = desk.post(reverse("return_list"), {"file": file}, follow=True)
    page, address = answer.content.decode(), answer.redirect_chain[-1][0]

    assert "将更改" in page and "139****5678" in page and "13912345678" not in page
    assert "不能超过 200 字" in page and ZHANG_WEI not in page
    assert Person.objects.get(name="张伟").phone == "10012345678"
    seen = re.search(r'name="seen" value="(\w+)"', page)[1]

    stale = desk.post(address, {"seen": "another"})
    assert stale.status_code == 422 and "预览之后" in stale.content.decode()
    done = desk.post(address, {"seen": seen}, follow=True).content.decode()
    assert "已更改 1 格" in done and "已是此值" in done
    assert Person.objects.get(name="张伟").phone == "13912345678"

    marked = desk.get(f"{address}marked.xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(marked.content)).active
    assert any("不能超过" in str(cell.value) for row in sheet.iter_rows() for cell in row)
    english = browser(county.township, "en")
    assert "is so already" in english.get(address).content.decode()
    assert browser(county.county).get(address).status_code == 404
    assert browser(county.director).get(address).status_code == 403


def test_a_file_that_was_not_exported_here_is_refused_in_words(county, browser) -> None:
    desk = browser(county.county)

    for content in (b"no workbook", b"PK\x03\x04broken"):
        answer = desk.post(reverse("return_list"), {"file": SimpleUploadedFile("x.xlsx", content)})
        assert answer.status_code == 422 and 'role="alert"' in answer.content.decode()
    assert desk.post(reverse("return_list")).status_code == 422


def test_buttons_outside_their_form_say_which_they_are() -> None:
    """htmx hears of a button that stands outside its form only where it says ``type="submit"``."""
    templates = Path(__file__).parents[2] / "src" / "doudi" / "web" / "templates"
    outside = [
        (path.name, button)
        for path in templates.rglob("*.html")
        for button in re.findall(r'<button[^>]*\sform="[^>]*>', path.read_text(encoding="utf-8"))
    ]

    assert outside
    assert [found for found in outside if 'type="submit"' not in found[1]] == []


def test_the_list_of_people_offers_disability_to_those_who_may_see_it(county, browser) -> None:
    desk, boss = browser(county.county), browser(county.director)
    columns = {"act": "columns", "columns": ["name", "disability"]}

    page = desk.post(reverse("persons"), columns).content.decode()

    assert 'id="disability"' in page and "精神" in page
    assert 'data-label="残疾"' in page
    assert 'id="disability"' not in boss.get(reverse("persons")).content.decode()
    FeedLoad.objects.filter(feed="disability").delete()
    assert "未到" in desk.get(reverse("persons")).content.decode()
    refused = desk.post(reverse("persons"), {"disability": "any"}).content.decode()
    assert "没有到不等于没有" in refused
