"""Screening: a pack's compiled query over the snapshots of a date, for a nation or for one family.

In come a pack and resolved snapshots; out come a result folder, an export, an explanation. It stores no
person's identity and decides nothing: a warning is a lead.
"""

from doudi.engine.packs.compiling import CompiledPack, compile_pack
from doudi.engine.screening.backtesting import (
    BackTest,
    BackTestRefused,
    Forecast,
    Trial,
    back_test,
    threshold_parameters,
)
from doudi.engine.screening.explaining import Explained, Explainer, Explanation
from doudi.engine.screening.incremental import Previous, rescreen
from doudi.engine.screening.results import Changes, compare_results, read_result, write_export
from doudi.engine.screening.running import ScreeningError, ScreeningResult, screen
from doudi.engine.screening.simulating import Flow, Mover, Simulation, simulate

__all__ = [
    "BackTest", "BackTestRefused", "Changes", "CompiledPack", "Explained", "Explainer", "Explanation", "Flow", "Forecast",
    "Mover", "Previous", "ScreeningError", "ScreeningResult", "Simulation", "Trial", "back_test", "compare_results", "compile_pack",
    "read_result", "rescreen", "screen", "simulate", "threshold_parameters", "write_export",
]  # fmt: skip
