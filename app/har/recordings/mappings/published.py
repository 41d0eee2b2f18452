"""Mappings of published tables whose columns have no names or no clock, so that nothing in them says what they are.

They are where a person starts from, as a guess is: nothing is read by them unasked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from app.har.recordings.layout import Layout, is_number
from app.har.recordings.mappings.mapping import ColumnMapping, SensorColumns, column_names
from app.har.signals.units import ACCELERATION, STANDARD_GRAVITY

HOLDS_GRAVITY = (0.6, 1.6)  # of its length, in the middle of the first rows; elsewhere the columns are others


@dataclass(frozen=True)
class PublishedTable:
    """Where the sensors of one data set stand."""

    title: str
    described: str
    n_columns: int
    rate_hz: float
    sensors: Mapping[str, tuple[int, str, float]]  # first column from 1, unit, and how many counts make one
    label: int  # its column; 0 for none
    headed: str = ""  # the first heading, in small letters; "" where there is none

    def fits(self, layout: Layout) -> bool:
        """Tell whether a table has as many columns, and gravity where it should be."""
        headed = layout.names[0] if layout.header else ""
        if (layout.n_columns, headed) != (self.n_columns, self.headed):
            return False
        accelerometers = [own for modality, own in self.sensors.items() if modality.endswith("accelerometer")]
        return all(_is_gravity(layout, *own) for own in accelerometers)

    def mapping(self, layout: Layout) -> ColumnMapping:
        """Return the mapping, by the names of a table's columns."""
        names = column_names(layout)
        sensors = [
            SensorColumns(modality=modality, columns=names[first - 1 : first + 2], unit=unit, scale=1 / counts)
            for modality, (first, unit, counts) in self.sensors.items()
        ]
        label = names[self.label - 1] if self.label else None
        return ColumnMapping.draft(sensors, rate_hz=self.rate_hz, gravity="included", label=label)


def _is_gravity(layout: Layout, first: int, unit: str, counts: float) -> bool:
    rows = [row[first - 1 : first + 2] for row in layout.rows]
    numbers = [[float(cell.replace(",", ".")) for cell in row] for row in rows if row and all(map(is_number, row))]
    if not numbers:
        return False
    length = median(math.hypot(*row) for row in numbers) / counts * ACCELERATION[unit]
    return HOLDS_GRAVITY[0] < length / STANDARD_GRAVITY < HOLDS_GRAVITY[1]


PUBLISHED = (
    PublishedTable(
        "mHealth", "Banos et al., mHealthDroid, IWAAL 2014; the set's README", 24, 50.0,
        {
            "chest.accelerometer": (1, "m/s²", 1), "ankle.accelerometer": (6, "m/s²", 1),
            "ankle.gyroscope": (9, "deg/s", 1), "wrist.accelerometer": (15, "m/s²", 1),
            "wrist.gyroscope": (18, "deg/s", 1),
        }, 24,
    ),
    PublishedTable(
        "Daily and Sports Activities", "Altun et al., Pattern Recognition 43 (2010); the set's page at UCI", 45, 25.0,
        {
            f"{place}.{sensor}": (1 + 9 * unit + 3 * offset, ("m/s²", "rad/s")[offset], 1)
            for unit, place in enumerate(("torso", "right-arm", "left-arm", "right-leg", "left-leg"))
            for offset, sensor in enumerate(("accelerometer", "gyroscope"))
        }, 0,
    ),
    PublishedTable(
        "HuGaDB", "Chereshnev & Kertész-Farkas, AIST 2017; github.com/romanchereshnev/HuGaDB", 39, 56.35,
        {
            f"{place}.{sensor}": (1 + 6 * unit + 3 * offset, ("g", "deg/s")[offset], (16384.0, 16.4)[offset])
            for unit, place in enumerate(
                ("right-foot", "right-shin", "right-thigh", "left-foot", "left-shin", "left-thigh")
            )
            for offset, sensor in enumerate(("accelerometer", "gyroscope"))
        }, 39, "acc_rf_x",
    ),
)  # fmt: skip


# Headings, and the names of files without any, of those that hold what Android gives in m/s² and iOS in Apple's g
RAW_OF_ANY_PHONE = ({"timestamp", "utc time", "accuracy", "x", "y", "z"},)  # Beiwe: github.com/onnela-lab/forest
RAW_FILES = re.compile(r"\d+\.m_raw_acc")  # ExtraSensory: Vaizman et al., IEEE Pervasive Computing 16 (2017)


def is_raw_of_any_phone(layout: Layout) -> bool:
    """Tell whether acceleration in g is Apple's: from a platform that writes what each phone gives, unchanged."""
    return set(layout.names) in RAW_OF_ANY_PHONE or bool(RAW_FILES.fullmatch(layout.stem))


def published_table(layout: Layout) -> PublishedTable | None:
    """Return the published table that a layout is, None for none known here."""
    return next((own for own in PUBLISHED if own.fits(layout)), None)
