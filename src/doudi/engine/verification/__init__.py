"""Household economic-status verification (居民家庭经济状况核对): what may be asked, what was found, what it means.

In come the pack's declarations, a household and the rows that sources returned; out come the computed situation, the
differences from what was declared, the advice, and the report in its canonical form. It knows no user, no
authorisation and no network, and it decides nothing: a report is a basis for a decision (社会救助暂行办法 第五十八条).
"""

from doudi.engine.verification.advising import Advice, advise
from doudi.engine.verification.canonical import canonical, differences_between, sha256_of, sm3_of
from doudi.engine.verification.changing import Line, changes_between
from doudi.engine.verification.comparing import DeclaredAmount, Difference, compare, limit_of
from doudi.engine.verification.declarations import Kind, Purpose, Rules, Source, Watch, load_rules
from doudi.engine.verification.elements import HIDDEN, Element, Elements, Retention
from doudi.engine.verification.evidence import (
    Answer,
    HouseholdMember,
    Situation,
    category_of,
    reckon,
    rows_as_text,
    rows_from_plain,
    rows_to_plain,
    totals_of,
)
from doudi.engine.verification.states import ASKABLE, STEPS, State, may_go
from doudi.engine.verification.supporting import Obligor, SupportRules, evidence_of, support_rows

__all__ = [
    "ASKABLE",
    "HIDDEN",
    "STEPS",
    "Advice",
    "Answer",
    "DeclaredAmount",
    "Difference",
    "Element",
    "Elements",
    "HouseholdMember",
    "Kind",
    "Line",
    "Obligor",
    "Purpose",
    "Retention",
    "Rules",
    "Situation",
    "Source",
    "State",
    "SupportRules",
    "Watch",
    "advise",
    "canonical",
    "category_of",
    "changes_between",
    "compare",
    "differences_between",
    "evidence_of",
    "limit_of",
    "load_rules",
    "may_go",
    "reckon",
    "rows_as_text",
    "rows_from_plain",
    "rows_to_plain",
    "sha256_of",
    "sm3_of",
    "support_rows",
    "totals_of",
]
