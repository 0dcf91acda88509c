"""Papers for meetings and folders: a table gives its room to the words and not to the numbers beside them."""

from __future__ import annotations

import re

from doudi.house.documents import Paper, table, to_pdf


def test_a_long_name_has_the_room_that_a_serial_number_does_not_need() -> None:
    header = ("序号", "种类", "户编号", "姓名", "状态", "结论", "多发（元）")
    row = ("1", "领取期间名下有两套以上住房或商铺", "LL00058", "杨**", "待派核", "", "")

    made = to_pdf(Paper(title="疑点清单", subtitle="", blocks=(table(header, [row] * 40),), foot=()))

    # each row stands on one line: forty of them on two sheets, where equal columns broke the name in three
    assert re.findall(rb"/Count (\d+)", made) == [b"2"]
