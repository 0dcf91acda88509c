"""One minimum-cost flow finds the assignment that is best tier by tier, then by fit, then by waiting.

Why one flow is enough: take any assignment A and a better one B (better by the first tier in which they
differ, then by total fit, then by total standing in the queue). Their difference falls apart into alternating
paths and cycles, each of which may be applied to A alone, and at least one of them is itself an improvement.
Such a path serves one more need and drops at most one other; it passes each project once, so it changes the
total fit by at most ``spread × projects`` and the total standing by at most one need's. Hence weights with
``fit unit > standing`` and ``tier step > fit unit × spread × projects`` leave no improving path unpaid, and the
optimum of the weighted sum is the lexicographic optimum. (Needs served together form a transversal matroid:
Edmonds & Fulkerson 1965; the weights here are far smaller than "best fit × number of needs".)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ortools.graph.python import min_cost_flow

from doudi.engine.matching.offers import Ints, MatchingError, Need, Offers

# OR-Tools scales each cost by the number of nodes and keeps it in 63 bits.
_SCALED_COST_LIMIT = 1 << 61


@dataclass(frozen=True)
class Weights:
    """What serving a need is worth: ``of_need[i] + unit × fit``; ``exact`` if the order is kept strictly."""

    of_need: Ints
    unit: int
    fit: Ints
    exact: bool


def standings(needs: Sequence[Need]) -> Ints:
    """The place of each need in the queue of its tier, higher is earlier: gap to income, then days waited."""
    if any(need.gap_to_income is not None for need in needs):
        keys = [(need.gap_to_income or 0.0, need.waiting_days) for need in needs]
        rank = {key: position for position, key in enumerate(sorted(set(keys)))}
        return np.array([rank[key] for key in keys], dtype=np.int64)
    return np.array([need.waiting_days for need in needs], dtype=np.int64)


def weigh(tiers: Ints, queue: Ints, fit: Ints, *, projects: int, nodes: int) -> Weights:
    """Weights that make one weighted optimum the lexicographic one, see the head of this module.

    Where 63 bits do not hold them (fits of many digits on a very large list) standing and then fit are
    coarsened by halves and ``exact`` is False; the tiers stay strict.
    """
    ranks = np.unique(tiers, return_inverse=True)[1]
    step_of = ranks.max(initial=0) + 1 - ranks
    queue, exact = queue - (queue.min() if len(queue) else 0), True
    fit = fit.astype(np.int64) - (fit.min() if len(fit) else 0)
    while True:
        spread, unit = int(fit.max(initial=0)), int(queue.max(initial=0)) + 1
        step = unit * (spread * min(projects, len(tiers)) + 1)
        top = step * int(step_of.max(initial=0)) + unit * spread + unit
        if top * (nodes + 2) < _SCALED_COST_LIMIT:
            return Weights(step * step_of + queue, unit, fit, exact)
        exact = False
        if unit > 2:
            queue = queue // 2
        else:
            fit = fit // 2


def assign_by_flow(tiers: Ints, queue: Ints, offers: Offers, places: Ints) -> tuple[Ints, bool]:
    """The project of each need (index, or −1) in the lexicographic optimum, and whether that order was strict.

    ``places[p]`` is how many needs project p may serve. Classes of several needs and shelves that several
    classes see are nodes of the network, so it grows with the lists rather than with the possible pairs.
    """
    needs, projects, shelves = len(tiers), len(places), len(offers.start) - 1
    size = np.bincount(offers.of_need, minlength=len(offers.seen) - 1)
    viewer = np.repeat(np.arange(len(size)), np.diff(offers.seen))
    viewer, view = viewer[size[viewer] > 0], offers.shelf[size[viewer] > 0]
    watched = np.bincount(view, minlength=shelves)

    # a class of one is its need; a shelf that one class sees is that class
    class_node = np.full(len(size), -1, dtype=np.int64)
    class_node[offers.of_need] = np.arange(needs)
    several = size > 1
    class_node[several] = needs + projects + np.arange(int(several.sum()))
    shelf_node = np.full(shelves, -1, dtype=np.int64)
    shelf_node[view] = class_node[viewer]
    common = watched > 1
    sink = needs + projects + int(several.sum()) + int(common.sum())
    shelf_node[common] = np.arange(sink - int(common.sum()), sink)
    weights = weigh(tiers, queue, offers.fit, projects=projects, nodes=sink)
    spread = int(weights.fit.max(initial=0))

    network = min_cost_flow.SimpleMinCostFlow()
    open_offers = np.flatnonzero(np.repeat(watched > 0, np.diff(offers.start))).astype(np.int32)
    tail = np.repeat(shelf_node.astype(np.int32), np.diff(offers.start))[open_offers]
    target = offers.project[open_offers]
    offered = _arcs(
        network,
        tail,
        needs + target,
        np.where(tail < needs, 1, places[target]),
        weights.unit * (spread - weights.fit[open_offers]),
    )
    del tail, target
    far = common[view]
    looked = _arcs(
        network,
        class_node[viewer[far]],
        shelf_node[view[far]],
        size[viewer[far]],
        np.zeros(int(far.sum()), dtype=np.int64),
    )
    member = np.flatnonzero(several[offers.of_need])
    _arcs(network, member, class_node[offers.of_need[member]], np.ones_like(member), np.zeros_like(member))
    _arcs(network, needs + np.arange(projects), np.full(projects, sink), places, np.zeros_like(places))
    every = np.arange(needs)
    left = _arcs(
        network, every, np.full(needs, sink), np.ones_like(every), weights.of_need + weights.unit * spread
    )
    network.set_nodes_supplies(
        np.append(every, sink).astype(np.int32), np.append(np.ones_like(every), -needs)
    )
    exact = weights.exact
    del weights  # the solver's own peak is next
    status = network.solve()
    if status != network.OPTIMAL:
        raise MatchingError(
            f"求解器没有给出最优解（{status.name}）。请把名单发给维护者。",
            f"The solver did not reach an optimum ({status.name}). Send the lists to the maintainers.",
        )
    flow = np.zeros(len(offers.project), dtype=np.int64)
    flow[open_offers] = network.flows(offered)
    drawn = np.zeros(len(view), dtype=np.int64)
    drawn[far] = network.flows(looked)
    served = network.flows(left) == 0
    del network
    used = np.flatnonzero(flow)
    shelf = np.searchsorted(offers.start, used, side="right") - 1
    near = ~far
    drawn[near] = np.bincount(shelf, weights=flow[used], minlength=shelves)[view[near]]
    project = np.full(needs, -1, dtype=np.int64)
    slots = _slots(offers, used, shelf, flow[used], viewer, view, drawn)
    winners = np.flatnonzero(served)
    winners = winners[np.lexsort((winners, -queue[winners], tiers[winners], offers.of_need[winners]))]
    project[winners] = slots
    return project, exact


def _slots(
    offers: Offers, used: Ints, shelf: Ints, flow: Ints, viewer: Ints, view: Ints, drawn: Ints
) -> Ints:
    """The projects that each class draws, class after class, best fit first.

    What leaves a shelf is handed to the classes that draw from it in their order; any way of doing so has the
    same worth, and this one is always the same.
    """
    leaving = np.lexsort((offers.project[used], -offers.fit[used], shelf))
    slot = np.repeat(used[leaving], flow[leaving])
    drawing = np.lexsort((viewer, view))
    owner = np.repeat(viewer[drawing], drawn[drawing])
    order = np.lexsort((offers.project[slot], -offers.fit[slot], owner))
    return offers.project[slot[order]]


def _arcs(
    network: min_cost_flow.SimpleMinCostFlow, tail: Ints, head: Ints, capacity: Ints, cost: Ints
) -> np.ndarray:
    return network.add_arcs_with_capacity_and_unit_cost(
        tail.astype(np.int32, copy=False),
        head.astype(np.int32, copy=False),
        capacity.astype(np.int64, copy=False),
        cost.astype(np.int64, copy=False),
    )
