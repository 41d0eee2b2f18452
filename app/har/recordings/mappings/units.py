"""What a mapping of columns may count time and readings in."""

from __future__ import annotations

from collections.abc import Mapping

from app.har.signals.units import ACCELERATION, ROTATION

DATE_TIME = "date-time"
TICKS = "0.1 ms"  # of Xsens' motion trackers
TIME_UNITS: Mapping[str, float] = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9, TICKS: 1e-4}
TIME_SPELLINGS: Mapping[str, str] = {"us": "µs", "μs": "µs", "sec": "s", "seconds": "s", "datetime": DATE_TIME}
UNITS: Mapping[str, Mapping[str, float]] = {  # unit -> what one of it is in the unit of MODALITY_UNITS
    "accelerometer": ACCELERATION,
    "gyroscope": ROTATION,
    "linear_accelerometer": ACCELERATION,
    "gravity": ACCELERATION,
    "magnetometer": {"µT": 1.0, "mG": 0.1, "G": 100.0},
    "heart_rate": {"beats/min": 1.0},
    "electrodermal_activity": {"µS": 1.0},
    "skin_temperature": {"°C": 1.0},
}
