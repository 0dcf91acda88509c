"""Files sealed piece by piece, so that a file of any size is sealed and opened in constant memory."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from doudi.engine.errors import DoudiError
from doudi.house.keyring import keyring

_PIECE = 1 << 20


def seal_file(plain: Path, to: Path, *, purpose: str) -> None:
    """Seal a file; it appears whole or not at all. Each piece knows its place, and the last that it is the last."""
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = to.with_name(f".{to.name}.{secrets.token_hex(6)}")
    try:
        with (
            plain.open("rb") as source,
            open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out,
        ):
            number, piece = 0, source.read(_PIECE)
            while True:
                following = source.read(_PIECE)
                sealed = keyring().seal(piece, purpose=_place(purpose, number, last=not following))
                out.write(len(sealed).to_bytes(4, "big") + sealed)
                if not following:
                    break
                number, piece = number + 1, following
            out.flush()
            os.fsync(out.fileno())
        os.replace(aside, to)
    finally:
        aside.unlink(missing_ok=True)


def open_file(sealed: Path, *, purpose: str) -> Iterator[bytes]:
    """The content of a sealed file, piece by piece; a file that was cut or changed stops with an error."""
    with sealed.open("rb") as source:
        number, length = 0, source.read(4)
        while length:
            body = source.read(int.from_bytes(length, "big"))
            length = source.read(4)
            yield keyring().open(body, purpose=_place(purpose, number, last=not length))
            number += 1
    if number == 0:
        raise DoudiError(f"{sealed.name} 是空的。", f"{sealed.name} is empty.", code="seal_broken")


def _place(purpose: str, number: int, *, last: bool) -> str:
    return f"{purpose}:{number}:{'last' if last else 'more'}"
