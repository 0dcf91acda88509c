"""Scans, photos and signatures that prove something (凭证): kept sealed, once, by the digest of their content.

What may have to go again, as a photo that no visit came for, is kept singly instead, under a name of its own.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from doudi.engine.errors import DoudiError
from doudi.house.keyring import keyring, write_aside
from doudi.house.paths import home
from doudi.house.resealing import declare_folder

LIMIT = 10 << 20
"""Bytes; a photo of an old telephone or ten scanned pages fit."""
_PURPOSE = "attachment"
_SIGNS = {
    b"\xff\xd8\xff": ("image/jpeg", "jpg"),
    b"\x89PNG\r\n\x1a\n": ("image/png", "png"),
    b"%PDF-": ("application/pdf", "pdf"),
}
"""What a file is, by its first bytes: its name is only what somebody says."""


class AttachmentRefused(DoudiError):
    """A file that cannot serve as evidence: empty, too large, or of another type."""

    code = "attachment_refused"


@dataclass(frozen=True)
class Attachment:
    """A kept file: the SHA-256 of its content (hex), its media type and size in bytes."""

    digest: str
    media_type: str
    size: int


def _kind_of(content: bytes) -> tuple[str, str]:
    found = next((kind for sign, kind in _SIGNS.items() if content.startswith(sign)), None)
    if found is None:
        raise AttachmentRefused(
            "凭证只收 JPG、PNG 照片或 PDF 扫描件。请重新拍照或扫描后上传。",
            "Evidence is a JPG or PNG picture or a PDF scan; take the picture or scan again.",
        )
    return found


SUFFIXES = dict(_SIGNS.values())
"""Media type → the suffix of a file name."""


def keep_attachment(content: bytes) -> Attachment:
    """Seal a picture or scan and keep it; the same content again is the same file. Raises :class:`AttachmentRefused`."""
    if not content:
        raise AttachmentRefused("凭证文件是空的，请重新选择。", "The file is empty; choose it again.")
    if len(content) > LIMIT:
        raise AttachmentRefused(
            f"凭证文件有 {len(content) >> 20} MB，超过 {LIMIT >> 20} MB。请降低分辨率后上传。",
            f"The file has {len(content) >> 20} MB, more than {LIMIT >> 20}; make it smaller.",
        )
    media_type, _ = _kind_of(content)
    digest = hashlib.sha256(content).hexdigest()
    path = home().evidence / f"{digest}.sealed"
    if not path.exists():
        write_aside(path, keyring().seal(content, purpose=f"{_PURPOSE}:{digest}"))
    return Attachment(digest, media_type, len(content))


def open_attachment(digest: str) -> tuple[bytes, str]:
    """The content and media type of a kept file, its content checked against its digest."""
    path = home().evidence / f"{digest}.sealed"
    if len(digest) != 64 or not digest.isalnum() or not path.exists():
        raise _missing()
    content = keyring().open(path.read_bytes(), purpose=f"{_PURPOSE}:{digest}")
    if hashlib.sha256(content).hexdigest() != digest:
        raise AttachmentRefused(
            "凭证文件与登记的摘要不符，可能被改动。", "The evidence file is not what was registered.", code="attachment_changed"
        )  # fmt: skip
    return content, _kind_of(content)[0]


_SINGLES: set[str] = set()


def declare_single(purpose: str) -> str:
    """Say of a purpose that files are kept singly for it, so that they can be sealed anew when keys change."""
    _SINGLES.add(purpose)
    return purpose


def _purposes_of(name: str) -> list[str]:
    digest = name.removesuffix(".sealed")
    return (
        [f"{_PURPOSE}:{digest}"]
        if len(digest) == 64
        else [f"{purpose}:{name}" for purpose in sorted(_SINGLES)]
    )


declare_folder("evidence", _purposes_of)


# ---- files that may go again -------------------------------------------------------------------------------------


def keep_single(content: bytes, *, purpose: str) -> str:
    """Seal a file under a name of its own and return the name: equal content is kept twice, so each may go alone."""
    name = f"{secrets.token_hex(16)}.sealed"
    write_aside(home().evidence / name, keyring().seal(content, purpose=f"{purpose}:{name}"))
    return name


def open_single(name: str, *, purpose: str) -> bytes:
    """The content of a file of :func:`keep_single`."""
    path = home().evidence / name
    if not path.is_file():
        raise _missing()
    return keyring().open(path.read_bytes(), purpose=f"{purpose}:{name}")


def remove_single(name: str) -> None:
    """Delete a file of :func:`keep_single`; none there is none to delete."""
    (home().evidence / name).unlink(missing_ok=True)


def _missing() -> AttachmentRefused:
    return AttachmentRefused(
        "凭证文件不在状态目录里，请从备份恢复。",
        "The evidence file is missing; restore a backup.",
        code="attachment_missing",
    )
