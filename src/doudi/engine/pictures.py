"""Photos and signatures from telephones: what they are by their content, and rid of all that is not the picture.

A camera writes the place, the time and the telephone's serial number into its files (EXIF, XMP). The place of a home
is personal data and is kept only where it was asked for, so every picture is stripped before it is stored.
"""

from __future__ import annotations

from doudi.engine.errors import DoudiError

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_START_OF_SCAN, _COMMENT = 0xDA, 0xFE
_ADOBE = 0xEE
"""APP14 says how the colours are coded; without it some pictures turn green."""


MOST_PIXELS = 60_000_000
"""Width times height: more than any telephone takes, less than what brings down who opens it."""
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG that say how large it is (ITU-T T.81 table B.1)."""


class PictureRefused(DoudiError):
    """Not a picture of a form that is taken, or a broken one."""

    code = "picture_refused"


def strip(content: bytes) -> bytes:
    """The JPEG or PNG without metadata, or :class:`PictureRefused`; the picture itself is not touched."""
    if content.startswith(b"\xff\xd8\xff"):
        return _strip_jpeg(content)
    if content.startswith(_PNG):
        return _strip_png(content)
    raise PictureRefused("只收 JPEG 或 PNG 图片。", "Only JPEG and PNG pictures are taken.")


def media_type(content: bytes) -> str:
    """The media type of a stripped picture."""
    return "image/png" if content.startswith(_PNG) else "image/jpeg"


def _broken() -> PictureRefused:
    return PictureRefused("图片不完整或已损坏，请重拍。", "The picture is broken; take it again.")


def _refuse_giants(width: bytes, height: bytes) -> None:
    """A small file may unfold to a picture that no machine can open."""
    if int.from_bytes(width, "big") * int.from_bytes(height, "big") > MOST_PIXELS:
        raise PictureRefused(
            "图片的尺寸太大，请用手机相机重新拍。", "The picture is too large; take it again with a camera."
        )


def _strip_jpeg(content: bytes) -> bytes:
    """Drop the application segments (ITU-T T.81 B.2.4.6) but JFIF and Adobe, and comments; stop at the scan."""
    kept = [content[:2]]
    at = 2
    while at + 4 <= len(content):
        if content[at] != 0xFF:
            raise _broken()
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if end > len(content):
            raise _broken()
        if marker == _START_OF_SCAN:
            stop = content.rfind(b"\xff\xd9")
            if stop < end:
                raise _broken()
            # what follows the end of the image may hold a second picture or a film
            return b"".join([*kept, content[at : stop + 2]])
        if marker in _FRAMES:
            _refuse_giants(content[at + 7 : at + 9], content[at + 5 : at + 7])
        if not (0xE1 <= marker <= 0xEF and marker != _ADOBE) and marker != _COMMENT:
            kept.append(content[at:end])
        at = end
    raise _broken()


def _strip_png(content: bytes) -> bytes:
    """Keep the chunks that draw (ISO/IEC 15948) and drop text, time and EXIF."""
    kept = [_PNG]
    at = len(_PNG)
    while at + 12 <= len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        if end > len(content):
            raise _broken()
        kind = content[at + 4 : at + 8]
        if kind == b"IHDR":
            _refuse_giants(content[at + 8 : at + 12], content[at + 12 : at + 16])
        if kind in _PNG_KEPT:
            kept.append(content[at:end])
        if kind == b"IEND":
            return b"".join(kept)
        at = end
    raise _broken()
