"""What a mapping of columns may count time and readings in."""

from __future__ import annotations

from collections.abc import Mapping

from app.har.signals.units import PRESSURE, ROTATION, STATED_ACCELERATION

DATE_TIME = "date-time"
TICKS = "0.1 ms"  # of Xsens' motion trackers
DAYS = "days"  # as spreadsheets and MATLAB count them
TIME_UNITS: Mapping[str, float] = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9, TICKS: 1e-4, DAYS: 86_400.0}
DAYS_TO_1970 = {"a spreadsheet": 25_569.0, "MATLAB": 719_529.0}  # from its first day
SERIAL_DAYS = {"a spreadsheet": (36_526.0, 73_050.0), "MATLAB": (730_486.0, 767_010.0)}  # of the years 2000 to 2099
TIME_SPELLINGS: Mapping[str, str] = {"us": "µs", "μs": "µs", "sec": "s", "seconds": "s", "datetime": DATE_TIME}
UNITS: Mapping[str, Mapping[str, float]] = {  # unit -> what one of it is in the unit of MODALITY_UNITS
    "accelerometer": STATED_ACCELERATION,
    "gyroscope": ROTATION,
    "linear_accelerometer": STATED_ACCELERATION,
    "gravity": STATED_ACCELERATION,
    "magnetometer": {"µT": 1.0, "mG": 0.1, "G": 100.0},
    "heart_rate": {"beats/min": 1.0},
    "electrodermal_activity": {"µS": 1.0},
    "skin_temperature": {"°C": 1.0},
    "pressure": PRESSURE,
    "sound_level": {"dB": 1.0},
    "light": {"lux": 1.0},
}


def who_counts_days(first: float) -> str:
    """Return who counts days to such a number, "" for nobody known here."""
    return next((who for who, (low, high) in SERIAL_DAYS.items() if low <= first <= high), "")
