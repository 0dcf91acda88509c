"""Policy packs: a county's rules as a folder of YAML in the law's own terms.

In comes a folder; out comes a checked :class:`Pack`, its compiled query, its tested cases, or every problem
with file and line. A pack runs no Python and no SQL of its own, and no word of it reaches a file or a network.
"""

from doudi.engine.packs.cases import CaseReport, test_pack
from doudi.engine.packs.changing import ParameterRefused, with_parameters
from doudi.engine.packs.compiling import CompiledPack, compile_pack
from doudi.engine.packs.layers import layer_folders
from doudi.engine.packs.loading import check_pack, load_pack
from doudi.engine.packs.model import (
    Case,
    Category,
    Indicator,
    Measure,
    Pack,
    Parameter,
    ParameterValue,
    Variable,
)
from doudi.engine.packs.problems import PackError, Problem
from doudi.engine.packs.showing import Difference, Shown, diff_packs, new_pack, show_rule

__all__ = [
    "Case", "CaseReport", "Category", "CompiledPack", "Difference", "Indicator", "Measure", "Pack", "PackError",
    "Parameter", "ParameterRefused", "ParameterValue", "Problem", "Shown", "Variable", "check_pack", "compile_pack",
    "diff_packs", "layer_folders", "load_pack", "new_pack", "show_rule", "test_pack", "with_parameters",
]  # fmt: skip
