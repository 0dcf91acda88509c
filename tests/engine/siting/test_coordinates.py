"""Coordinates keep their place when they change their system."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doudi.engine.siting import CoordinateSystem, from_wgs84, to_wgs84
from doudi.engine.siting.reach import great_circle

GUIYANG = (106.7135, 26.5783)
in_china = st.tuples(st.floats(74, 134), st.floats(18.5, 53))


@given(in_china, st.sampled_from(list(CoordinateSystem)))
def test_there_and_back_is_within_a_centimetre(point: tuple[float, float], system: CoordinateSystem) -> None:
    there = from_wgs84(*point, system)

    back = to_wgs84(*there, system)

    assert great_circle(*(np.asarray(v) for v in (*point, *back))) < 0.01


def test_a_known_point_of_the_published_reconstruction() -> None:
    # a point in Shanghai from the tests of the open GCJ-02 code (eviltransform)
    lon, lat = from_wgs84(121.5272106, 31.1774276, CoordinateSystem.GCJ02)

    assert (float(lon), float(lat)) == pytest.approx((121.531541859215, 31.17530398364597), abs=1e-9)


def test_the_shift_is_more_than_a_service_radius_tolerates() -> None:
    gcj = from_wgs84(*GUIYANG, CoordinateSystem.GCJ02)
    bd = from_wgs84(*GUIYANG, CoordinateSystem.BD09)

    shift, further = (
        float(great_circle(*(np.asarray(v) for v in (*GUIYANG, *moved)))) for moved in (gcj, bd)
    )

    assert 100 < shift < 800
    assert further > shift


def test_outside_china_gcj02_is_wgs84() -> None:
    lon, lat = from_wgs84(13.4, 52.5, CoordinateSystem.GCJ02)

    assert (float(lon), float(lat)) == (13.4, 52.5)
