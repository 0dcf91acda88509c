"""What a household or person is due by month, line by line, and the files that carry it to the bank (待遇与发放).

In come a pack's numbers and a decision's facts; out come sums in fen with every parameter, document and clause they
stand on, and bank files in the layout the pack describes. It knows no database and decides nothing.
"""

from doudi.engine.benefits.amounts import Claim, Due, Line, Numbers, Recipient, due, one_off_ceiling
from doudi.engine.benefits.banking import (
    BankFileRefused,
    Outcome,
    Payment,
    read_return,
    write_payment_file,
)
from doudi.engine.benefits.months import first_of, month_text, months_between, next_month, shift
from doudi.engine.benefits.rules import Benefit, BenefitRules, Column, Layout, Table, load_benefits

__all__ = [
    "BankFileRefused",
    "Benefit",
    "BenefitRules",
    "Claim",
    "Column",
    "Due",
    "Layout",
    "Line",
    "Numbers",
    "Outcome",
    "Payment",
    "Recipient",
    "Table",
    "due",
    "first_of",
    "load_benefits",
    "month_text",
    "months_between",
    "next_month",
    "one_off_ceiling",
    "read_return",
    "shift",
    "write_payment_file",
]
