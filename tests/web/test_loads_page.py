"""The loads page: a file comes in by the browser, what is wrong goes back to its sender, everyone is screened."""

from __future__ import annotations

import io
import re

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from doudi.contexts.accounts.services import name_behind, system_user
from doudi.house.paths import home
from tests import small_county


def text_of(answer) -> str:
    return answer.content.decode()


def csv_file(name: str, header: list[str], rows: list[list[str]]) -> SimpleUploadedFile:
    text = "\n".join(",".join(row) for row in [header, *rows]) + "\n"
    return SimpleUploadedFile(name, text.encode())


def register() -> SimpleUploadedFile:
    return csv_file("低收入家庭花名册.csv", small_county.REGISTER_HEADER, small_county.REGISTER)


def medical(*more: list[str]) -> SimpleUploadedFile:
    return csv_file("医疗结算.csv", small_county.MEDICAL_HEADER, [*small_county.MEDICAL, *more])


def send(desk, file: SimpleUploadedFile, **changed: str):
    return desk.post(reverse("upload"), {"file": file, "as_of": small_county.AS_OF, **changed}, follow=True)


def test_the_first_file_of_a_new_office_is_recognised_and_taken_in(cast, browser) -> None:
    desk = browser(cast.county)

    page = text_of(send(desk, register()))

    assert "已装载 低收入家庭花名册.csv（低收入家庭花名册）：读入 5 行，可用 5 行，没有隔离" in page
    assert "陈县办" in page or "county" in page


def test_the_same_file_again_changes_nothing_and_says_so(cast, browser) -> None:
    desk = browser(cast.county)
    send(desk, register())

    assert "此前已装载，没有变化" in text_of(send(desk, register()))


def test_bad_rows_come_back_in_a_workbook_that_says_why(cast, browser) -> None:
    desk = browser(cast.county)
    send(desk, register())

    page = text_of(send(desk, medical(["王强", small_county.WANG_QIANG, "2024-13-40", "1", "1", "是"])))

    assert "隔离 1 行" in page
    link = re.search(r'href="(/loads/\d+/quarantine\.xlsx)"', page)
    assert link is not None
    answer = desk.get(link[1])
    assert "attachment" in answer["Content-Disposition"]
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).active
    assert any("2024-13-40" in str(cell.value) for row in sheet.iter_rows() for cell in row)


def test_an_auditor_may_take_the_return_sheet_and_a_township_may_not(cast, browser) -> None:
    desk = browser(cast.county)
    send(desk, register())
    page = text_of(send(desk, medical(["王强", small_county.WANG_QIANG, "2024-13-40", "1", "1", "是"])))
    link = re.search(r'href="(/loads/\d+/quarantine\.xlsx)"', page)[1]

    assert browser(cast.auditor).get(link).status_code == 200
    assert browser(cast.township).get(link).status_code == 403


def test_a_file_that_is_no_table_is_refused_with_the_reason_and_nothing_is_left_behind(cast, browser) -> None:
    desk = browser(cast.county)

    answer = send(desk, SimpleUploadedFile("随手拍.xlsx", b"\x89PNG not a workbook"))

    assert answer.status_code == 422
    assert 'role="alert"' in text_of(answer)
    assert list(home().work.iterdir()) == []


def test_a_refused_file_stands_in_the_list_with_why(cast, browser) -> None:
    desk = browser(cast.county)
    bad = csv_file(
        "医疗结算.csv", ["姓名", "身份证号", "结算日期"], [["王强", small_county.WANG_QIANG, "2024-06-01"]]
    )

    answer = send(desk, bad, feed="medical")

    assert answer.status_code == 422
    listed = text_of(desk.get(reverse("loads")))
    assert "未通过" in listed and "个人自付" in listed


def test_a_file_without_a_date_is_asked_for_one(cast, browser) -> None:
    answer = browser(cast.county).post(reverse("upload"), {"file": register()})

    assert answer.status_code == 422 and 'id="id_as_of_error"' in text_of(answer)


def test_a_name_with_a_path_in_it_stays_in_its_folder(cast, browser) -> None:
    file = register()
    file.name = "../../../../tmp/evil.csv"

    page = text_of(send(browser(cast.county), file))

    assert "evil.csv" in page and "../" not in page


def test_everyone_is_screened_from_the_page(cast, browser) -> None:
    desk = browser(cast.county)
    send(desk, register())
    send(desk, medical())

    answer = desk.post(reverse("screen"), {"as_of": small_county.AS_OF}, follow=True)

    assert "已筛查 3 户" in text_of(answer)
    assert "缺少数据" in text_of(answer)


def test_a_screen_before_any_register_is_refused_in_words(cast, browser) -> None:
    answer = browser(cast.county).post(reverse("screen"), {"as_of": "2024-01-01"})

    assert answer.status_code == 422 and "没有装载过《低收入家庭花名册》" in text_of(answer)


@pytest.mark.django_db
def test_what_the_command_line_loaded_does_not_stand_under_an_accounts_name() -> None:
    assert name_behind(system_user().username) == "命令行"
    assert name_behind("nobody-here") == "nobody-here"
