"""HiGHS, quietly: a maximisation with its matrix given column by column, and one error for all that goes wrong."""

from __future__ import annotations

from collections.abc import Sequence

import highspy
import numpy as np

from doudi.engine.matching.offers import MatchingError


def quiet_solver(seconds: float) -> highspy.Highs:
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    # no "threads": HiGHS keeps one pool a process and fails when a second caller asks for another size
    solver.setOptionValue("time_limit", float(seconds))
    return solver


def solve(solver: highspy.Highs) -> None:
    if solver.run() == highspy.HighsStatus.kError:
        raise MatchingError(
            "求解器 HiGHS 运行失败。请重试；再次失败请把名单发给维护者。",
            "The solver HiGHS failed. Try again; if it fails again send the lists to the maintainers.",
        )


def program_of(
    gains: Sequence[float] | np.ndarray,
    lower: Sequence[float] | np.ndarray,
    upper: Sequence[float] | np.ndarray,
    starts: Sequence[int] | np.ndarray,
    rows: Sequence[int] | np.ndarray,
    values: Sequence[float] | np.ndarray,
) -> highspy.HighsLp:
    """A maximisation over columns between 0 and 1, with the matrix given column by column."""
    program = highspy.HighsLp()
    program.sense_ = highspy.ObjSense.kMaximize
    program.num_col_, program.num_row_ = len(gains), len(upper)
    program.col_cost_ = np.asarray(gains, dtype=float)
    program.col_lower_, program.col_upper_ = np.zeros(len(gains)), np.ones(len(gains))
    program.row_lower_, program.row_upper_ = np.asarray(lower, dtype=float), np.asarray(upper, dtype=float)
    program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    program.a_matrix_.start_ = np.asarray(starts, dtype=np.int32)
    program.a_matrix_.index_ = np.asarray(rows, dtype=np.int32)
    program.a_matrix_.value_ = np.asarray(values, dtype=float)
    return program
