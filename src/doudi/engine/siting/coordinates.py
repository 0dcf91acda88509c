"""Convert map coordinates between the three systems in use in China, so that no point is 500 m off.

In come longitudes and latitudes in degrees, as arrays, with the name of their system; out come the same points
in another. CGCS2000 and WGS84 differ by centimetres and are one system here. GCJ-02 (高德, 腾讯) has no published
formula: the one below is the open reconstruction that map libraries share; its inverse is found by iteration
to under a millimetre against that formula. BD-09 (百度) is a further shift of GCJ-02.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

Degrees = NDArray[np.float64]
_Shift = Callable[[Degrees, Degrees], tuple[Degrees, Degrees]]

_KRASOVSKY_AXIS = 6_378_245.0
_KRASOVSKY_ECCENTRICITY = 0.00669342162296594323
_BAIDU = np.pi * 3000.0 / 180.0


class CoordinateSystem(StrEnum):
    """The system (坐标系) in which a list gives its points."""

    WGS84 = "wgs84"
    GCJ02 = "gcj02"
    BD09 = "bd09"


def to_wgs84(lon: ArrayLike, lat: ArrayLike, system: CoordinateSystem) -> tuple[Degrees, Degrees]:
    """The points in WGS84/CGCS2000; degrees in, degrees out."""
    x, y = _arrays(lon, lat)
    if system is CoordinateSystem.BD09:
        x, y = _invert(_gcj02_to_bd09, x, y)
    if system is not CoordinateSystem.WGS84:
        x, y = _invert(_wgs84_to_gcj02, x, y)
    return x, y


def from_wgs84(lon: ArrayLike, lat: ArrayLike, system: CoordinateSystem) -> tuple[Degrees, Degrees]:
    """The WGS84/CGCS2000 points in ``system``, for a map of that system; degrees in, degrees out."""
    x, y = _arrays(lon, lat)
    if system is not CoordinateSystem.WGS84:
        x, y = _wgs84_to_gcj02(x, y)
    if system is CoordinateSystem.BD09:
        x, y = _gcj02_to_bd09(x, y)
    return x, y


def _arrays(lon: ArrayLike, lat: ArrayLike) -> tuple[Degrees, Degrees]:
    return np.array(lon, dtype=np.float64), np.array(lat, dtype=np.float64)


def _wgs84_to_gcj02(lon: Degrees, lat: Degrees) -> tuple[Degrees, Degrees]:
    # the shift is defined on China's map rectangle only; elsewhere the systems agree
    inside = (lon > 72.004) & (lon < 137.8347) & (lat > 0.8293) & (lat < 55.8271)
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    wave = (20.0 * np.sin(6.0 * np.pi * x) + 20.0 * np.sin(2.0 * np.pi * x)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + wave
    north += (20.0 * np.sin(y * np.pi) + 40.0 * np.sin(y / 3.0 * np.pi)) * 2.0 / 3.0
    north += (160.0 * np.sin(y / 12.0 * np.pi) + 320.0 * np.sin(y * np.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + wave
    east += (20.0 * np.sin(x * np.pi) + 40.0 * np.sin(x / 3.0 * np.pi)) * 2.0 / 3.0
    east += (150.0 * np.sin(x / 12.0 * np.pi) + 300.0 * np.sin(x / 30.0 * np.pi)) * 2.0 / 3.0
    phi = np.radians(lat)
    magic = 1.0 - _KRASOVSKY_ECCENTRICITY * np.sin(phi) ** 2
    meridian = _KRASOVSKY_AXIS * (1.0 - _KRASOVSKY_ECCENTRICITY) / (magic * np.sqrt(magic))
    parallel = _KRASOVSKY_AXIS / np.sqrt(magic) * np.cos(phi)
    return (
        np.where(inside, lon + np.degrees(east / parallel), lon),
        np.where(inside, lat + np.degrees(north / meridian), lat),
    )


def _gcj02_to_bd09(lon: Degrees, lat: Degrees) -> tuple[Degrees, Degrees]:
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * _BAIDU)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _BAIDU)
    return radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006


def _invert(forward: _Shift, lon: Degrees, lat: Degrees) -> tuple[Degrees, Degrees]:
    x, y = lon.copy(), lat.copy()
    for _ in range(30):
        shifted_x, shifted_y = forward(x, y)
        step_x, step_y = lon - shifted_x, lat - shifted_y
        x, y = x + step_x, y + step_y
        if max(np.abs(step_x).max(initial=0.0), np.abs(step_y).max(initial=0.0)) < 1e-11:
            break
    return x, y
