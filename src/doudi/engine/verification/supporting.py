"""What legal supporters who live apart owe (赡养情况): the order of evidence, as rows that the pack's own formula reads.

A judgment, mediation or agreement comes before what is actually paid, and that before the formula (handbook 01 §1.4). No
amount is worked out here: the rows go to the variable that screens the county.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from doudi.engine.feeds import FeedSpec


@dataclass(frozen=True)
class SupportRules:
    """How a pack reads the support of those who live apart (赡养): its feed, its variables, and which column says what.

    ``facts``: words of the evidence column for a judgment or agreement and for actual payment, the stronger first;
    ``formula``: the word where there is neither.
    """

    feed: str
    amount: str
    """The person's variable that holds what is owed, fen a month."""
    counted: str
    """The person's variable that holds how much of it counts as income here."""
    facts: tuple[str, str]
    formula: str
    evidence: str
    agreed: str
    category: str
    persons: str
    income: str
    parents: str
    serial: str

    def categories(self, spec: FeedSpec) -> tuple[str, ...]:
        """The categories an obligor may be of; of some of them the formula asks nothing."""
        return tuple(str(code) for code in spec.column(self.category).codes)


@dataclass(frozen=True)
class Obligor:
    """A legal supporter who lives apart (不共同生活的法定赡养人), as the township found it out.

    ``supported``: positions of the request's people that are supported. Amounts are fen a month; ``judged`` and
    ``paid`` (to each of them) None where there is none. ``parents``: how many parents the obligor's household supports.
    """

    name: str
    relation: str
    supported: tuple[int, ...]
    judged: int | None = None
    paid: int | None = None
    category: str = ""
    persons: int = 0
    income: int = 0
    parents: int = 0

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "supported": list(self.supported)}

    @staticmethod
    def from_json(told: Mapping[str, Any]) -> Obligor:
        return Obligor(**{**told, "supported": tuple(told["supported"])})


def evidence_of(rules: SupportRules, obligor: Obligor) -> tuple[str, int | None]:
    """The strongest evidence there is and the amount it names; by formula there is none."""
    for word, amount in zip(rules.facts, (obligor.judged, obligor.paid), strict=True):
        if amount is not None:
            return word, amount
    return rules.formula, None


def support_rows(
    rules: SupportRules, obligors: Sequence[Obligor], people: Mapping[int, tuple[str, str]]
) -> list[dict[str, Any]]:
    """One row of the feed for every obligor and supported person; ``people``: position → (ID, name).

    The serial keeps two obligors of like circumstances from being taken for one row sent twice.
    """
    rows = []
    for serial, obligor in enumerate(obligors, 1):
        evidence, amount = evidence_of(rules, obligor)
        for position in obligor.supported:
            number, name = people[position]
            rows.append(
                {
                    "id_number": number,
                    "name": name,
                    rules.serial: serial,
                    rules.evidence: evidence,
                    rules.agreed: amount,
                    rules.category: obligor.category or None,
                    rules.persons: obligor.persons,
                    rules.income: obligor.income,
                    rules.parents: obligor.parents or 1,
                }
            )
    return rows
