"""A picture keeps its image and loses where, when and with what it was taken."""

from __future__ import annotations

import io
import zlib

import pytest

from doudi.engine import pictures

JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
TABLE = b"\xff\xdb\x00\x05\x00ab"
SCAN = b"\xff\xda\x00\x04\x01\x00" + b"\x12\x34\xff\x00\x56"
END = b"\xff\xd9"


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def test_a_jpeg_loses_exif_xmp_comment_and_what_hangs_behind() -> None:
    exif = segment(0xE1, b"Exif\x00\x00GPS 26.5 106.7")
    comment = segment(0xFE, b"made by somebody")
    adobe = segment(0xEE, b"Adobe\x00d\x00\x00\x00\x00\x01")

    stripped = pictures.strip(b"\xff\xd8" + JFIF + exif + adobe + comment + TABLE + SCAN + END + b"a film")

    assert stripped == b"\xff\xd8" + JFIF + adobe + TABLE + SCAN + END


def chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def test_a_png_loses_text_and_exif() -> None:
    head, data, end = (
        chunk(b"IHDR", bytes([0, 0, 0, 9, 0, 0, 0, 9, 8, 2, 0, 0, 0])),
        chunk(b"IDAT", b"y"),
        chunk(b"IEND", b""),
    )

    stripped = pictures.strip(
        b"\x89PNG\r\n\x1a\n" + head + chunk(b"eXIf", b"GPS") + chunk(b"tEXt", b"who") + data + end + b"more"
    )

    assert stripped == b"\x89PNG\r\n\x1a\n" + head + data + end
    assert pictures.media_type(stripped) == "image/png"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        b"<svg onload=alert(1)>",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe1\xff\xff",
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_what_is_no_whole_picture_is_refused(content: bytes) -> None:
    with pytest.raises(pictures.PictureRefused):
        pictures.strip(content)


def test_a_real_photo_still_shows_the_same_image() -> None:
    image = pytest.importorskip("PIL.Image")
    made = image.new("RGB", (40, 30), (200, 30, 60))
    out = io.BytesIO()
    exif = image.Exif()
    exif[0x010F] = "somebody's telephone"
    made.save(out, "jpeg", exif=exif)

    stripped = pictures.strip(out.getvalue())

    assert b"telephone" in out.getvalue() and b"telephone" not in stripped
    assert image.open(io.BytesIO(stripped)).tobytes() == image.open(io.BytesIO(out.getvalue())).tobytes()


def test_a_small_file_that_unfolds_to_a_giant_is_refused():
    wide = (60_000).to_bytes(4, "big")
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", wide + wide + b"\x08\x02\x00\x00\x00") + chunk(b"IEND", b"")
    frame = segment(0xC2, b"\x08" + wide[2:] + wide[2:] + b"\x01\x01\x11\x00")

    for giant in (png, b"\xff\xd8" + JFIF + frame + SCAN + END):
        with pytest.raises(pictures.PictureRefused) as refused:
            pictures.strip(giant)
        assert "太大" in refused.value.zh
