"""Planning lists from whatever wrote them: ends of lines, headers that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from doudi.engine.csvfile import CsvFile, TableError


def written(folder: Path, content: bytes) -> Path:
    path = folder / "点位.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_line_ends_as_the_machine_that_wrote_it_ends_lines(tmp_path: Path, end: bytes) -> None:
    lines = CsvFile(written(tmp_path, end.join([b"id,lon", b"a,106.7", b"", b"b,x", b""])), ["id", "lon"])

    assert lines.text("id") == ["a", "b"]
    with pytest.raises(TableError, match="第4行"):
        lines.numbers("lon")


def test_a_header_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="第1行不是可读的表头"):
        CsvFile(written(tmp_path, b"id," + b"x" * 200_000 + b"\na,1\n"), ["id"])
