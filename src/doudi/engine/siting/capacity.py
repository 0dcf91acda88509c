"""Plans with capacities (容量): no site feeds more than it has seats for, each point goes to one site whole.

Capacitated maximal covering, set covering and p-median in one model (Current & Storbeck, "Capacitated covering
models", Environment and Planning B 15 (1988) 153–163): assignment x, opening y, x ≤ y, Σ weight·x ≤ capacity·y.
The model takes the K nearest places of each point; K doubles while the answer could still use an arc left out.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from doudi.engine.siting.highs import Clock, minimise
from doudi.engine.siting.limits import Limits
from doudi.engine.siting.problem import Answer, Bools, Floats, Ints, Model, Reason, grain
from doudi.engine.siting.reach import Reach

_MOST_ARCS = 400_000


def plan_within_capacity(
    model: Model,
    reach: Reach,
    weight: Floats,
    capacity: Floats,
    live: Bools,
    limits: Limits,
    clock: Clock,
    worth: Floats | None = None,
) -> Answer:
    """The best plan of ``model`` in which each site serves at most its ``capacity`` (M numbers, inf: any).

    ``worth`` is what serving a point counts for in a coverage plan, where that is not its weight.

    ``live`` marks the points that must or may be served; the others are nobody's.

    Bound and value are proven over all arcs that fit the model; when more than 400,000 are in reach of points,
    a coverage or cover-all plan keeps to the nearest ones and says so in its notes.
    """
    count, places = reach.shape
    everything = min(places, max(1, _MOST_ARCS // max(1, count)))
    k = min(everything, 30) if model is Model.MEDIAN else everything
    while True:
        place, metres = reach.nearest(k)
        left_out = (place[:, -1] >= 0) & (k < places)
        answer, escaped = _solve(
            model,
            place,
            metres,
            left_out,
            weight,
            weight if worth is None else worth,
            capacity,
            live,
            limits,
            clock,
        )
        if not escaped or k >= everything:
            break
        k = min(2 * k, everything)
    if left_out.any():
        if model is not Model.MEDIAN or escaped:
            answer.notes.append(
                Reason(
                    f"容量模型只考虑每个需求点最近的{k}个候选点。",
                    f"The capacity model looks at the {k} nearest candidates of each point only.",
                )
            )
        if model is Model.COVERAGE:
            answer.bound = float((weight if worth is None else worth).sum())
        elif model is Model.COVER_ALL:
            answer.bound = float(limits.fixed.sum())
        answer.infeasible = False
    return answer


def _solve(
    model: Model,
    place: Ints,
    metres: Floats,
    left_out: Bools,
    weight: Floats,
    worth: Floats,
    capacity: Floats,
    live: Bools,
    limits: Limits,
    clock: Clock,
) -> tuple[Answer, bool]:
    """One model over the listed arcs: the answer, and whether it leans on arcs left out."""
    count, many = place.shape[0], limits.count
    row, rank = np.nonzero((place >= 0) & (weight[:, None] <= capacity[np.maximum(place, 0)]))
    to, length = place[row, rank], metres[row, rank]
    arcs = len(row)
    # one more variable per point: not served (coverage), or served by an arc left out (median)
    nowhere = (place[:, 0] < 0) if model is Model.MEDIAN else ~live
    may_escape = nowhere | (left_out if model is Model.MEDIAN else model is Model.COVERAGE)
    escape_cost = np.zeros(count)
    if model is Model.MEDIAN:
        escape_cost = np.where(left_out, weight * np.where(left_out, metres[:, -1], 0.0), 0.0)
        cost = np.concatenate((np.zeros(many), weight[row] * length, escape_cost))
    elif model is Model.COVERAGE:
        escape_cost = worth
        cost = np.concatenate((np.zeros(many + arcs), escape_cost))
    else:
        cost = np.concatenate((np.ones(many), np.zeros(arcs + count)))
    ones, index = np.ones(arcs), np.arange(arcs)
    bounded = np.flatnonzero(np.isfinite(capacity))
    limit_rows, limit_lower, limit_upper = limits.rows()
    served = sparse.csr_matrix((ones, (row, index)), shape=(count, arcs))
    used = sparse.csr_matrix((weight[row], (to, index)), shape=(many, arcs))[bounded]
    seats = sparse.csr_matrix(
        (capacity[bounded], (np.arange(len(bounded)), bounded)), shape=(len(bounded), many)
    )
    opening = sparse.csr_matrix((ones, (index, to)), shape=(arcs, many))
    rows = sparse.vstack(
        [
            sparse.hstack([limit_rows, sparse.csr_matrix((limit_rows.shape[0], arcs + count))]),
            sparse.hstack([sparse.csr_matrix((count, many)), served, sparse.identity(count)]),
            sparse.hstack([seats, -used, sparse.csr_matrix((len(bounded), count))]),
            sparse.hstack([opening, -sparse.identity(arcs), sparse.csr_matrix((arcs, count))]),
        ],
        format="csr",
    )
    free = np.full(len(bounded) + arcs, np.inf)
    whole = np.ones(many + arcs + count, dtype=bool)
    outcome = minimise(
        cost,
        rows,
        np.concatenate((limit_lower, np.ones(count), np.zeros(len(free)))),
        np.concatenate((limit_upper, np.ones(count), free)),
        lower=np.concatenate((limits.fixed, np.zeros(arcs + count))).astype(np.float64),
        upper=np.concatenate((np.ones(many + arcs), may_escape)).astype(np.float64),
        whole=whole,
        clock=clock,
        step=1.0 if model is Model.COVER_ALL else grain(cost),
    )
    if outcome.infeasible:
        return Answer(None, None, None, infeasible=True), bool(left_out.any())
    if outcome.point is None:
        return Answer(None, None, None), False
    chosen = outcome.point[:many] > 0.5
    taken = np.flatnonzero(outcome.point[many : many + arcs] > 0.5)
    served_by = np.full(count, -1, dtype=np.int64)
    served_by[row[taken]] = to[taken]
    escaped = model is Model.MEDIAN and bool((outcome.point[many + arcs :][~nowhere] > 0.5).any())
    if escaped:
        return Answer(None, None, max(outcome.bound, 0.0)), True
    value, bound = float(cost @ np.round(outcome.point)), max(outcome.bound, 0.0)
    if model is Model.COVERAGE:
        value, bound = float(worth.sum()) - value, float(worth.sum()) - bound
    return Answer(chosen, value, bound, served_by=served_by), False
