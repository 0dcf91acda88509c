"""Who can reach which place, and how far it is: from coordinates or from a table of distances.

Distances are metres on the ground: great circle × detour factor (绕行系数), or what the table says. Pairs are
kept sparse, nearest first, so that a province never becomes a full matrix.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from doudi.engine.siting.problem import Bools, Floats, Ints

EARTH_RADIUS = 6_371_008.8  # metres, IUGG mean radius (Moritz 2000)
_BLOCK = 2048
_SLACK = 1e-9


def great_circle(lon_a: Floats, lat_a: Floats, lon_b: Floats, lat_b: Floats) -> Floats:
    """The great-circle distance in metres between points in degrees (haversine formula), elementwise."""
    a, b = np.radians(lat_a), np.radians(lat_b)
    half_lon = np.radians(lon_b - lon_a) / 2.0
    square = np.sin((b - a) / 2.0) ** 2 + np.cos(a) * np.cos(b) * np.sin(half_lon) ** 2
    metres: Floats = 2.0 * EARTH_RADIUS * np.arcsin(np.sqrt(np.minimum(square, 1.0)))
    return metres


class Reach(Protocol):
    """Pairs of demand point and candidate that are in reach, N × M."""

    shape: tuple[int, int]

    def within(self) -> sparse.csr_matrix:
        """The pairs in reach as a 0/1 matrix, column numbers sorted in each row."""
        ...

    def nearest(self, k: int) -> tuple[Ints, Floats]:
        """The ``k`` nearest candidates in reach of each point: numbers (−1: none) and metres (inf), N × k."""
        ...

    def nearest_of(self, sites: Ints) -> tuple[Ints, Floats]:
        """For each point the nearest of ``sites`` (candidate numbers) in reach, −1 if none, and metres or inf."""
        ...


class CoordinateReach:
    """Reach by great circle × ``detour`` within ``radius`` metres (one number per demand point, may be inf)."""

    def __init__(
        self, demand: tuple[Floats, Floats], places: tuple[Floats, Floats], *, radius: Floats, detour: float
    ) -> None:
        self.demand, self.places, self.radius, self.detour = demand, places, radius, detour
        self.shape = (len(demand[0]), len(places[0]))
        self._points = _unit_vectors(*demand)
        self._tree = cKDTree(_unit_vectors(*places))

    def within(self) -> sparse.csr_matrix:
        """The pairs in reach as a 0/1 matrix, column numbers sorted in each row."""
        blocks = []
        for begin in range(0, self.shape[0], _BLOCK):
            part = slice(begin, min(begin + _BLOCK, self.shape[0]))
            angle = min(float(self.radius[part].max(initial=0.0)) / self.detour / EARTH_RADIUS, np.pi)
            chord = min(2.0 * np.sin(angle / 2.0) * (1 + _SLACK) + 1e-12, 2.0 + _SLACK)
            pairs = cKDTree(self._points[part]).sparse_distance_matrix(
                self._tree, chord, output_type="ndarray"
            )
            near, place = pairs["i"], pairs["j"]
            kept = self._metres(near + begin, place) <= self.radius[part][near]
            ones = np.ones(int(kept.sum()), dtype=np.float64)
            blocks.append(
                sparse.csr_matrix(
                    (ones, (near[kept], place[kept])), shape=(part.stop - part.start, self.shape[1])
                )
            )
        cover = sparse.vstack(blocks, format="csr") if blocks else sparse.csr_matrix(self.shape)
        cover.sort_indices()
        return cover

    def nearest(self, k: int) -> tuple[Ints, Floats]:
        """The ``k`` nearest candidates in reach of each point: numbers (−1: none) and metres (inf), N × k."""
        k = min(k, self.shape[1])
        index = np.empty((self.shape[0], k), dtype=np.int32)
        metres = np.empty((self.shape[0], k))
        for begin in range(0, self.shape[0], _BLOCK):
            part = slice(begin, min(begin + _BLOCK, self.shape[0]))
            rows = np.arange(part.start, part.stop)[:, None]
            if k > self.shape[1] // 4:  # the tree does not pay when most places are asked for
                found = np.broadcast_to(np.arange(self.shape[1]), (len(rows), self.shape[1]))
            else:
                found = self._tree.query(self._points[part], k=k)[1].reshape(-1, k)
            exact = self._metres(rows, found)
            order = np.argsort(exact, axis=1, kind="stable")[:, :k]
            index[part] = np.take_along_axis(found, order, axis=1)
            metres[part] = np.take_along_axis(exact, order, axis=1)
        out = metres > self.radius[:, None]
        index[out], metres[out] = -1, np.inf
        return index, metres

    def nearest_of(self, sites: Ints) -> tuple[Ints, Floats]:
        """For each point the nearest of ``sites`` (candidate numbers) in reach, −1 if none, and metres or inf."""
        if not len(sites):
            return np.full(self.shape[0], -1), np.full(self.shape[0], np.inf)
        found = sites[cKDTree(self._tree.data[sites]).query(self._points)[1]]
        metres = self._metres(np.arange(self.shape[0]), found)
        out = metres > self.radius
        return np.where(out, -1, found), np.where(out, np.inf, metres)

    def _metres(self, rows: Ints, places: Ints) -> Floats:
        return self.detour * great_circle(
            self.demand[0][rows], self.demand[1][rows], self.places[0][places], self.places[1][places]
        )


class TableReach:
    """Reach by a table: pairs ``row``, ``place``, ``metres``; a pair not listed is unreachable."""

    def __init__(
        self, shape: tuple[int, int], row: Ints, place: Ints, metres: Floats, *, radius: Floats
    ) -> None:
        kept: Bools = metres <= radius[row]
        order = np.lexsort((place[kept], metres[kept], row[kept]))
        self.shape = shape
        self._row, self._place, self._metres = row[kept][order], place[kept][order], metres[kept][order]
        self._starts = np.searchsorted(self._row, np.arange(shape[0] + 1))

    def within(self) -> sparse.csr_matrix:
        """The pairs in reach as a 0/1 matrix, column numbers sorted in each row."""
        cover = sparse.csr_matrix((np.ones(len(self._row)), (self._row, self._place)), shape=self.shape)
        cover.sort_indices()
        return cover

    def nearest(self, k: int) -> tuple[Ints, Floats]:
        """The ``k`` nearest candidates in reach of each point: numbers (−1: none) and metres (inf), N × k."""
        k = min(k, self.shape[1])
        index = np.full((self.shape[0], k), -1, dtype=np.int32)
        metres = np.full((self.shape[0], k), np.inf)
        rank = np.arange(len(self._row)) - self._starts[self._row]
        near = rank < k
        index[self._row[near], rank[near]] = self._place[near]
        metres[self._row[near], rank[near]] = self._metres[near]
        return index, metres

    def nearest_of(self, sites: Ints) -> tuple[Ints, Floats]:
        """For each point the nearest of ``sites`` (candidate numbers) in reach, −1 if none, and metres or inf."""
        opened = np.zeros(self.shape[1], dtype=bool)
        opened[sites] = True
        arcs = np.flatnonzero(opened[self._place])
        rows, first = np.unique(self._row[arcs], return_index=True)
        found, metres = np.full(self.shape[0], -1), np.full(self.shape[0], np.inf)
        found[rows], metres[rows] = self._place[arcs[first]], self._metres[arcs[first]]
        return found, metres


def _unit_vectors(lon: Floats, lat: Floats) -> Floats:
    x, y = np.radians(lon), np.radians(lat)
    return np.column_stack((np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)))
