"""The invented survey: an oceanographic cruise over a seamount, as a few hundred files.

Nothing here was measured. The values follow simple rules (a seamount, a thermocline, a seasonal
cycle) with noise from a fixed seed, so that plots look like the real thing and every run gives
the same bytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from packager_jupyter.demo import formats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_SEED = 20240502
_START = datetime(2024, 5, 2, 6, 0, tzinfo=UTC)
_WEST, _NORTH, _SPAN_DEG = -24.0, 39.0, 2.0
_STATION_ROWS, _STATION_COLUMNS = 6, 7
_CASTS = 3
_CAST_DEPTH_M, _CAST_STEP_M = 500, 10
_TILES, _TILE_PIXELS = 4, 64
_IMAGES = 48
_MONTHS, _GRID, _CHUNK = 12, 48, 24
_GLIDER_MISSIONS, _GLIDER_ROWS = 8, 2000
_LOG_DAYS = 18


@dataclass(frozen=True, slots=True)
class SurveyFile:
    """One file of the sample: path below the storage's root, bytes, and when it was "made"."""

    path: str
    data: bytes
    modified_s: int


@dataclass(frozen=True, slots=True)
class _Station:
    name: str
    longitude: float
    latitude: float
    depth_m: float
    at: datetime


def survey_files() -> Iterator[SurveyFile]:
    """Yield every file of the survey, in a fixed order, with the same bytes on each call."""
    random = np.random.default_rng(_SEED)
    stations = list(_stations())
    yield from _overview(stations)
    yield from _casts(stations, random)
    yield from _gliders(random)
    yield from _bathymetry()
    yield from _plankton(random)
    yield from _surface_temperature(random)
    yield from _logs(stations, random)


def _depth_m(longitude: NDArray[np.float64], latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sea floor: a plain at 3,400 m with one seamount and some hills."""
    x, y = longitude - (_WEST + 1.1), latitude - (_NORTH - 0.9)
    mount = 3150 * np.exp(-(x**2 + 1.4 * y**2) / 0.09)
    hills = 90 * np.sin(11 * longitude) * np.cos(9 * latitude)
    return np.asarray(np.maximum(3400 - mount + hills, 180.0))


def _stations() -> Iterator[_Station]:
    number = 0
    for row in range(_STATION_ROWS):
        columns = range(_STATION_COLUMNS)
        for column in columns if row % 2 == 0 else reversed(columns):
            longitude = round(_WEST + 0.2 + column * 1.6 / (_STATION_COLUMNS - 1), 4)
            latitude = round(_NORTH - 0.2 - row * 1.6 / (_STATION_ROWS - 1), 4)
            depth = float(_depth_m(np.array(longitude), np.array(latitude)))
            at = _START + timedelta(hours=9 * number)
            number += 1
            yield _Station(f"K{number:03d}", longitude, latitude, round(depth, 1), at)


def _file(path: str, data: bytes, at: datetime) -> SurveyFile:
    return SurveyFile(path, data, int(at.timestamp()))


def _overview(stations: list[_Station]) -> Iterator[SurveyFile]:
    done = stations[-1].at + timedelta(days=2)
    yield _file(
        "survey.json",
        formats.json_bytes(
            {
                "title": "Kelda Seamount survey 2024",
                "note": "An invented survey: no value in it was measured.",
                "vessel": "RV Meridian",
                "start": _START.isoformat(),
                "end": done.isoformat(),
                "bounds": [_WEST, _NORTH - _SPAN_DEG, _WEST + _SPAN_DEG, _NORTH],
                "stations": len(stations),
            }
        ),
        done,
    )
    yield _file(
        "stations.csv",
        formats.csv_bytes(
            ["station", "longitude", "latitude", "depth_m", "time"],
            [[s.name, s.longitude, s.latitude, s.depth_m, s.at.isoformat()] for s in stations],
        ),
        done,
    )


def _casts(stations: list[_Station], random: np.random.Generator) -> Iterator[SurveyFile]:
    """Yield CTD profiles: a mixed layer, a thermocline at 60 to 110 m, an oxygen minimum."""
    for station in stations:
        for cast in range(1, _CASTS + 1):
            depth = np.arange(0, min(_CAST_DEPTH_M, station.depth_m), _CAST_STEP_M, dtype=float)
            thermocline = 85 + 25 * math.sin(5 * station.longitude + cast)
            warm = 1 / (1 + np.exp((depth - thermocline) / 14))
            temperature = 9.2 + 9.6 * warm - depth / 260 + random.normal(0, 0.04, depth.size)
            salinity = 35.1 + 0.9 * warm - depth / 2600 + random.normal(0, 0.006, depth.size)
            oxygen = 238 - 70 * np.exp(-(((depth - 380) / 150) ** 2))
            oxygen += random.normal(0, 0.8, depth.size)
            columns = zip(depth, temperature, salinity, oxygen, strict=True)
            at = station.at + timedelta(minutes=50 * cast)
            yield _file(
                f"ctd/{station.name}/{station.name}_cast{cast}.csv",
                formats.csv_bytes(
                    ["pressure_dbar", "temperature_c", "salinity_psu", "oxygen_umol_kg"],
                    [[f"{p:.0f}", f"{t:.3f}", f"{s:.4f}", f"{o:.1f}"] for p, t, s, o in columns],
                ),
                at,
            )
    yield _file(
        "ctd/calibration #2 (50% bottles).csv",
        formats.csv_bytes(
            ["bottle", "sensor_psu", "bench_psu"],
            [[n, f"{35 + n / 50:.3f}", f"{35 + n / 50 + 0.004:.3f}"] for n in range(1, 13)],
        ),
        _START,
    )


def _gliders(random: np.random.Generator) -> Iterator[SurveyFile]:
    for mission in range(1, _GLIDER_MISSIONS + 1):
        begin = _START + timedelta(days=2 * mission)
        step = np.arange(_GLIDER_ROWS)
        depth = 500 * np.abs(((step / 125) % 2) - 1)
        longitude = _WEST + 0.3 + 1.2 * step / _GLIDER_ROWS
        latitude = _NORTH - 0.25 * mission + 0.05 * np.sin(step / 300)
        temperature = 18 - depth / 45 + random.normal(0, 0.05, step.size)
        chlorophyll = 0.2 + 0.9 * np.exp(-(((depth - 70) / 30) ** 2))
        seconds = np.int64(begin.timestamp()) + step * 20
        data = formats.parquet_bytes(
            {
                "time": (seconds * 1000).astype("datetime64[ms]"),
                "longitude": longitude,
                "latitude": latitude,
                "depth_m": depth.astype(np.float32),
                "temperature_c": temperature.astype(np.float32),
                "chlorophyll_mg_m3": chlorophyll.astype(np.float32),
            }
        )
        yield _file(f"gliders/mission-{mission:02d}.parquet", data, begin + timedelta(days=1))


def _bathymetry() -> Iterator[SurveyFile]:
    tile_deg = _SPAN_DEG / _TILES
    pixel_deg = tile_deg / _TILE_PIXELS
    centre = (np.arange(_TILE_PIXELS) + 0.5) * pixel_deg
    for row in range(_TILES):
        for column in range(_TILES):
            west, north = _WEST + column * tile_deg, _NORTH - row * tile_deg
            longitude, latitude = np.meshgrid(west + centre, north - centre)
            data = formats.geotiff_bytes(
                -_depth_m(longitude, latitude).astype(np.float32),
                west=west,
                north=north,
                pixel_deg=pixel_deg,
            )
            at = _START + timedelta(days=1, hours=row * _TILES + column)
            yield _file(f"bathymetry/tile_r{row}_c{column}.tif", data, at)


def _plankton(random: np.random.Generator) -> Iterator[SurveyFile]:
    """Yield dark blobs with legs on a grey field, as a plankton imager gives them."""
    y, x = np.mgrid[0:96, 0:128]
    for number in range(1, _IMAGES + 1):
        image = 205 + random.normal(0, 4, x.shape)
        for _ in range(int(random.integers(1, 5))):
            cx, cy = random.uniform(20, 108), random.uniform(18, 78)
            length, width = random.uniform(8, 20), random.uniform(3, 7)
            turn = random.uniform(0, math.pi)
            along = (x - cx) * math.cos(turn) + (y - cy) * math.sin(turn)
            across = (y - cy) * math.cos(turn) - (x - cx) * math.sin(turn)
            legs = 1 + 0.25 * np.cos(along * 1.9)
            image -= 130 * np.exp(-((along / length) ** 2) - (across / (width * legs)) ** 2)
        at = _START + timedelta(hours=8 * number)
        data = formats.png_bytes(np.clip(image, 0, 255).astype(np.uint8))
        yield _file(f"plankton/{at:%Y-%m-%d}/frame {number:04d}.png", data, at)


def _surface_temperature(random: np.random.Generator) -> Iterator[SurveyFile]:
    month = np.arange(_MONTHS)
    axis = (np.arange(_GRID) + 0.5) * _SPAN_DEG / _GRID
    season = 17.5 + 3.2 * np.sin((month - 4) * math.pi / 6)
    pattern = 0.8 * np.sin(3 * axis)[None, :] * np.cos(2 * axis)[:, None]
    values = season[:, None, None] + pattern + random.normal(0, 0.05, (_MONTHS, _GRID, _GRID))
    arrays = [
        *formats.zarr_array(
            "sst",
            values.astype(np.float32),
            chunks=(3, _CHUNK, _CHUNK),
            dimensions=("month", "latitude", "longitude"),
            attributes={"units": "degree_Celsius", "long_name": "sea surface temperature"},
        ),
        *formats.zarr_array(
            "month",
            month.astype(np.int32) + 1,
            chunks=(_MONTHS,),
            dimensions=("month",),
            attributes={"long_name": "month of 2024"},
        ),
    ]
    for name, coordinate, units in (
        ("latitude", _NORTH - axis, "degrees_north"),
        ("longitude", _WEST + axis, "degrees_east"),
    ):
        arrays += formats.zarr_array(
            name, coordinate, chunks=(_GRID,), dimensions=(name,), attributes={"units": units}
        )
    for path, data in formats.zarr_group(arrays, attributes={"title": "Monthly mean SST 2024"}):
        yield _file(f"sst.zarr/{path}", data, _START + timedelta(days=20))


def _logs(stations: list[_Station], random: np.random.Generator) -> Iterator[SurveyFile]:
    for day in range(_LOG_DAYS):
        date = _START + timedelta(days=day)
        lines = [f"RV Meridian, log of {date:%Y-%m-%d} (UTC)", ""]
        lines += [
            f"{station.at:%H:%M}  on station {station.name}, {station.depth_m:.0f} m of water"
            for station in stations
            if station.at.date() == date.date()
        ]
        wind, swell = random.integers(2, 8), random.uniform(0.6, 3.2)
        lines += ["", f"Wind force {wind}, swell {swell:.1f} m."]
        yield _file(f"logs/{date:%Y-%m-%d}.txt", ("\n".join(lines) + "\n").encode(), date)
    yield _file(
        "logs/à bord: météo & état.txt",  # names in a storage are not always tame
        "Les noms aussi font partie des données.\n".encode(),
        _START + timedelta(days=_LOG_DAYS),
    )
