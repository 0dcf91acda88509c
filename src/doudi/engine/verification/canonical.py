"""One way of writing a report's content, so that its digest can be computed again years later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives import hashes


def canonical(content: Any) -> bytes:
    """JSON in the form of RFC 8785 as far as it is used here: sorted keys, no white space, UTF-8, no fractions.

    Raises :class:`TypeError` for a float: amounts are whole fen, and a float has no one way of being written.
    """
    _refuse_floats(content)
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _refuse_floats(content: Any) -> None:
    if isinstance(content, float):
        raise TypeError(f"a float ({content!r}) does not belong in a report: write whole fen or text")
    for part in (
        content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    ):
        _refuse_floats(part)


def sha256_of(content: bytes) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(content).hexdigest()


def sm3_of(content: bytes) -> str:
    """SM3 (GB/T 32905-2016), hex."""
    digest = hashes.Hash(hashes.SM3())
    digest.update(content)
    return digest.finalize().hex()


def differences_between(stored: Any, again: Any, path: str = "") -> Iterator[dict[str, Any]]:
    """Where two contents differ: ``{"path", "stored", "recomputed"}``, in the order of their keys."""
    if isinstance(stored, dict) and isinstance(again, dict):
        for key in sorted(stored.keys() | again.keys()):
            inner = f"{path}.{key}" if path else str(key)
            yield from differences_between(stored.get(key), again.get(key), inner)
    elif isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        for place, (one, other) in enumerate(zip(stored, again, strict=True)):
            yield from differences_between(one, other, f"{path}[{place}]")
    elif stored != again:
        yield {"path": path, "stored": stored, "recomputed": again}
