"""What goes to a connected source and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from doudi.engine.errors import DoudiError
from doudi.engine.status import Status


class SourceUnavailable(DoudiError):
    """The source could not be reached or did not answer in time: asked again later, nobody is 查无."""

    code = "source_unavailable"
    retry = True


class SourceLied(DoudiError):
    """The source's answer is not one: unsigned, malformed, or to another question. Nothing of it is used."""

    code = "source_answer_invalid"
    retry = True


@dataclass(frozen=True)
class Asked:
    """One question: ``key`` names it on both sides; the rest is what the source needs to find and to allow it."""

    key: str
    name: str
    id_number: str
    id_blind: bytes
    purpose: str
    authorisation: str
    authorised_to: date


@dataclass(frozen=True)
class Told:
    """The answer to one question: KNOWN with rows (column name → text), NO_RECORD, FAILED with ``why``, NOT_ARRIVED."""

    status: Status
    rows: tuple[Mapping[str, Any], ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Answered:
    """What came back of one call, by the key of the question; ``refused`` answers were to nobody who was asked.

    ``typed``: the rows have the types of the feed's columns already, as those of a file that was loaded have.
    """

    as_of: date
    told: Mapping[str, Told] = field(default_factory=dict)
    refused: int = 0
    typed: bool = False


class Connector(Protocol):
    """A way to a source."""

    way: str

    def ask(self, batch: str, asked: Sequence[Asked]) -> Answered:
        """Ask once; the same ``batch`` again is the same question. Raises :class:`SourceUnavailable`, :class:`SourceLied`."""
