"""Hand a mixed-integer model to HiGHS and bring back the plan together with what is proven about it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import highspy
import numpy as np
from scipy import sparse

from doudi.engine.siting.problem import Bools, Floats

INTERIOR_POINT_ABOVE = 20_000
"""Entries of a matrix above which the interior point method beats simplex."""


@dataclass(frozen=True)
class Clock:
    """The time left to a plan, in seconds; ``deadline`` is on the monotonic clock."""

    deadline: float

    @classmethod
    def of(cls, seconds: float) -> Clock:
        """A clock that runs out after ``seconds``."""
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.deadline - time.monotonic())

    def share(self, part: float, most: float = np.inf) -> Clock:
        """A clock for one stage: ``part`` of what is left, no more than ``most`` seconds."""
        return Clock.of(min(self.left * part, most))


class _QuietHighs(highspy.Highs):
    """HiGHS that prints nothing, not even the banner of its constructor: standard output is for the answer."""

    def enableCallbacks(self) -> None:
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()


@dataclass(frozen=True)
class Outcome:
    """The best point found (None: none), its objective, and a proven bound on the optimum (minimisation)."""

    point: Floats | None
    objective: float
    bound: float
    infeasible: bool = False


def minimise(
    cost: Floats,
    rows: sparse.csr_matrix,
    row_lower: Floats,
    row_upper: Floats,
    *,
    lower: Floats,
    upper: Floats,
    whole: Bools,
    clock: Clock,
    start: Floats | None = None,
    step: float = 0.0,
    seed: int = 0,
) -> Outcome:
    """Minimise ``cost · x`` over ``row_lower ≤ rows x ≤ row_upper``, ``lower ≤ x ≤ upper``, ``whole`` integral.

    ``start`` is a feasible point to begin from. ``step``: any two different objectives are at least so far
    apart, so the search may stop when less than a step is open. The same input gives the same answer unless
    the clock runs out.
    """
    lp = _model(cost, rows, row_lower, row_upper, lower, upper)
    kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
    lp.integrality_ = [kinds[flag] for flag in whole.astype(int).tolist()]

    solver = _QuietHighs()
    solver.setOptionValue("random_seed", seed)
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.setOptionValue("mip_abs_gap", max(1e-6, 0.999 * step))
    solver.setOptionValue("mip_feasibility_tolerance", 1e-7)
    if rows.nnz > INTERIOR_POINT_ABOVE:  # 3 s against 45 s by simplex on a root of 12,740 rows × 2,000 places
        solver.setOptionValue("mip_lp_solver", "ipm")
    solver.setOptionValue("time_limit", max(0.05, clock.left))
    solver.passModel(lp)
    if start is not None:
        begin = highspy.HighsSolution()
        begin.col_value = start.tolist()
        solver.setSolution(begin)
    solver.run()

    status = solver.getModelStatus()
    info = solver.getInfo()
    if status in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible):
        return Outcome(None, np.inf, np.inf, infeasible=True)
    bound = float(info.mip_dual_bound) if whole.any() else float(info.objective_function_value)
    if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return Outcome(None, np.inf, bound)
    point = np.array(solver.getSolution().col_value)
    if start is not None and abs(float(cost @ point) - info.objective_function_value) > 1e-6 * max(
        1.0, abs(bound)
    ):
        # HiGHS 1.16 can carry a start into its presolved model at a wrong objective and then prune the optimum;
        # seen on OR-Library pmed20 (start 1089, "1063 in the reduced space", optimum 1087)
        return minimise(
            cost,
            rows,
            row_lower,
            row_upper,
            lower=lower,
            upper=upper,
            whole=whole,
            clock=clock,
            step=step,
            seed=seed,
        )
    return Outcome(point, float(info.objective_function_value), bound)


def row_prices(
    cost: Floats,
    rows: sparse.csr_matrix,
    row_lower: Floats,
    row_upper: Floats,
    *,
    lower: Floats,
    upper: Floats,
    clock: Clock,
) -> Floats | None:
    """The dual prices of the rows in the linear relaxation, by the interior point method; None if time ran out.

    Near the optimum and not at a vertex: good for a Lagrangian bound, which holds for any prices.
    """
    solver = _QuietHighs()
    solver.setOptionValue("solver", "ipm")
    solver.setOptionValue("run_crossover", "off")
    solver.setOptionValue("time_limit", max(0.05, clock.left))
    solver.passModel(_model(cost, rows, row_lower, row_upper, lower, upper))
    solver.run()
    prices = np.array(solver.getSolution().row_dual)
    solved = solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return prices if solved and len(prices) == rows.shape[0] else None


def _model(
    cost: Floats,
    rows: sparse.csr_matrix,
    row_lower: Floats,
    row_upper: Floats,
    lower: Floats,
    upper: Floats,
) -> highspy.HighsLp:
    matrix = rows.tocsc()
    matrix.sort_indices()
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(cost), matrix.shape[0]
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost, lower, upper
    lp.row_lower_, lp.row_upper_ = row_lower, row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = matrix.indptr.astype(np.int32)
    lp.a_matrix_.index_ = matrix.indices.astype(np.int32)
    lp.a_matrix_.value_ = matrix.data.astype(np.float64)
    return lp
