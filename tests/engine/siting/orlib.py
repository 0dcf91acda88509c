"""Read the OR-Library p-median instances in tests/data/orlib."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import shortest_path

FOLDER = Path(__file__).resolve().parents[2] / "data" / "orlib"
OPTIMA = {"pmed1": 5819, "pmed5": 1355, "pmed10": 1255, "pmed20": 1789, "pmed38": 11060}


def instance(name: str) -> tuple[np.ndarray, int]:
    """Shortest-path distances between all vertices, and p; of a repeated edge the last stands."""
    rows = [line.split() for line in (FOLDER / f"{name}.txt").read_text().splitlines() if line.strip()]
    vertices, _edges, sites = (int(cell) for cell in rows[0])
    edges = {}
    for a, b, cost in rows[1:]:
        edges[min(int(a), int(b)) - 1, max(int(a), int(b)) - 1] = float(cost)
    heads, tails = zip(*edges, strict=True)
    graph = sparse.csr_matrix((list(edges.values()), (heads, tails)), shape=(vertices, vertices))
    return shortest_path(graph, directed=False), sites
