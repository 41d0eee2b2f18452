"""What can be wrong with a file or recording, as listed on pages and in results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class ProblemKind(str, Enum):
    """The kinds of problems: a short name, and what it means to the person who brought the file."""

    meaning: str

    def __new__(cls, name: str, meaning: str = "") -> ProblemKind:
        """Make a member that equals its name."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member

    def __str__(self) -> str:
        return str.__str__(self)

    def __format__(self, spec: str) -> str:
        return str.__format__(self, spec)

    # Files
    UNREADABLE_FILE = "unreadable file", "A file could not be read; the others were."
    UNREADABLE_RECORDING = "unreadable recording", "One recording of the upload could not be read; the others were."
    UNREADABLE_SENSOR = "unreadable sensor", "The columns of one sensor could not be read; the other sensors were."
    FILE_NOT_USED = "file not used", "The mapping is not about this file, or the file lacks one of its columns."
    FILE_TWICE = "file twice", "Two files claim to be the same; the first is read."
    OTHER_LAYOUT = "other layout", "A file is in another layout than the rest of its data set."
    DUPLICATE_RECORDING = "duplicate recording", "Two recordings are the same byte for byte; one is kept."
    UNUSABLE_RECORDING = "unusable recording", "A recording was read, but no model can use it."
    NAME_MISMATCH = (
        "name unlike the pattern",
        "The name of a file does not fit the pattern that names label and subject.",
    )
    # Tables
    COLUMNS_NOT_USED = (
        "columns not used",
        "Nothing was read from these columns, perhaps a sensor under an unknown name. Rename them, or map the columns.",
    )
    CUT_OFF = "cut off", "The file ends before what its head announces; perhaps it was not copied whole."
    CORRUPT_ROWS = "corrupt rows", "A few rows hold no usable numbers. Many of them point to a damaged file."
    EMPTY_CELLS = "empty cells", "Some cells hold nothing; their rows were left out."
    DUPLICATE_ROWS = "duplicate rows", "Some rows repeat the row before; the repetitions were left out."
    SEPARATOR = "separator", "The file separates its columns or decimals in an unusual way."
    TEXT_BEFORE_TABLE = "text before the table", "Lines of text stand before the table; they were skipped."
    GROUPED_THOUSANDS = "thousands set apart", "Numbers are written with separators between thousands."
    # Clocks
    CLOCK_GAP = "clock gap", "The recording stops for a while; nothing is recognised in between."
    CLOCK_RESTART = "clock restart", "The clock started again during the recording; it was put back in sequence."
    CLOCKS_APART = "clocks apart", "Two devices ran together for only part of the time."
    ROWS_OUT_OF_ORDER = "rows out of order", "Rows were not in the order of time; they were sorted."
    UNORDERED_TIMESTAMPS = "unordered timestamps", "A few timestamps go back a little; they were sorted."
    BATCHED_TIMESTAMPS = (
        "batched timestamps",
        "Samples arrived in batches with one time; they were spread out.",
    )
    SHARED_TIMESTAMPS = "shared timestamps", "Several samples have the same time; they were spread evenly."
    TIMESTAMP_OUTLIERS = "timestamp outliers", "A few rows have a time far from their neighbours; they were left out."
    UNUSABLE_TIMESTAMPS = "unusable timestamps", "One clock of the file is damaged; another was used."
    TIME_UNIT = "time unit", "The unit of the clock was detected from the steps between samples."
    TIME_UNIT_IN_DOUBT = "time unit in doubt", "The clock may be in another unit than the mapping says."
    DATE_IN_DOUBT = "date in doubt", "06/05 may be May or June; only the calendar date is in doubt."
    DATE_NOT_USED = "date not used", "The date could not be understood; times count from the start."
    LOW_RATE = "low rate", "Few samples a second: a slow sensor, whose fast movement is lost, or long gaps."
    REPEATED_VALUES = "repeated values", "The file repeats values, so the sensor is slower than the rows suggest."
    FROZEN_VALUES = (
        "frozen values",
        "The sensor gave zeros, or one value over and over, as one does that sleeps or hangs; these were left out.",
    )
    LEADING_ZEROS = "zeros at the start", "The sensor gave only zeros at first; they were left out."
    # Sensors
    MISSING_SENSOR = (
        "missing sensor",
        "A sensor that the model knows is missing; the others were used. Expect more errors. "
        "Upload all files of a recording in one zip.",
    )
    UNUSED_DEVICE = "unused device", "The model reads one device; what the others recorded was left out."
    MISSING_DEVICE = "missing device", "One of the devices worn together has no file."
    MISSING_AXIS = "missing axis", "One axis of a sensor has no file."
    NO_DEVICE = "no device", "The name of a file says neither phone nor watch."
    SENSOR_TWICE = "sensor twice", "Two tables are of the same sensor; the first is used."
    SENSOR_BY_SIZE = "sensor by size", "No name says which sensor this is; it was detected from the size of its values."
    SENSOR_BY_UNIT = "sensor by unit", "Name and unit disagree on the sensor; the unit was believed."
    SENSOR_GAP = (
        "gap in one sensor",
        "One sensor stopped for a while; the others were used without it. Expect more errors there.",
    )
    SLOW_SENSOR = "slow sensor", "A sensor is far slower than the model needs; the others were used without it."
    CONSTANT_SIGNAL = "constant signal", "Every sample of a sensor is the same; it seems to be dead."
    IMPOSSIBLE_VALUES = "impossible values", "A few samples are beyond what any worn sensor gives; they were left out."
    LENGTHS_DIFFER = "lengths differ", "The files of two sensors differ in length; both were cut to the shorter."
    # Units and gravity
    UNIT_CONVERTED = "unit converted", "The values were in another unit and were converted."
    UNIT_MISMATCH = "unit mismatch", "The unit that you or the file named does not fit the values."
    UNIT_IN_DOUBT = "unit in doubt", "The values do not show their unit clearly; they were left as they are."
    UNIT_UNLIKE_OTHERS = "unit unlike most", "A recording is in another unit than most of its data set."
    AXES_INVERTED = "axes inverted", "The platform writes acceleration with the opposite sign; it was inverted."
    GRAVITY_FOUND = "gravity found", "Acceleration said to be without gravity contains it."
    NO_GRAVITY = "no gravity", "Acceleration said to contain gravity does not."
    GRAVITY_REMOVED = "gravity removed", "The model was trained without gravity, so it was removed."
    GRAVITY_ADDED = "gravity added", "The model was trained with gravity; the phone's own gravity was added."
    CALIBRATED = (
        "calibrated",
        "The accelerometer's errors were measured where the device lay still, and corrected: it shows 1 g there now.",
    )
    NOT_CALIBRATED = (
        "not calibrated",
        "The device lay still, but in too few directions to measure the errors of its accelerometer; it is used as is.",
    )
    # Labels and subjects
    NO_LABEL = "no label", "Nothing says which activity this is; it is kept without a label."
    SHORT_LABELS = "short activities", "No activity lasts for a usual window of 3 s. Train with shorter windows."
    NO_SUBJECT = "no subject", "Nothing says who was recorded."
    LABELS_BEYOND_END = "labels beyond the end", "Labels go beyond the end of the recording; they were cut off."
    LABELS_WITHOUT_RECORDING = "labels without recording", "There are labels for files that are not there."
    # Recognition
    TOO_SHORT = "too short", "No sensor ran without a gap for as long as one window of the model."
    WALKING_NOT_USED = (
        "walking not used",
        "The recording of your own walking could not be used as a measure by this model.",
    )
    PLACE_IN_DOUBT = (
        "place in doubt",
        "Your walking looks like that of a device worn elsewhere than you said. The postures may be wrong.",
    )
    UNSEEN_ORIENTATION = (
        "unseen orientation",
        "Gravity comes from a side that it never came from in training: the device is upside down or turned. "
        "The result may be wrong.",
    )
    UNLIKE_TRAINING = (
        "unlike the training data",
        "One sensor, or the whole movement, is often unlike the training data: perhaps the device was worn elsewhere "
        "or its unit is another. A sensor is ignored there where another could be used.",
    )

    MODEL_MISFIT = (
        "model does not fit",
        "Nearly the whole recording is unlike what the model was trained on: the device is worn elsewhere, or the "
        "movements are others. No activity is named where this is so; recognise it again with a model that fits.",
    )

    @classmethod
    def _missing_(cls, value: object) -> ProblemKind | None:
        """Read what was stored before 1.0 under another name."""
        return next((kind for kind in cls if kind.value == _BEFORE_1_0.get(str(value))), None)


_BEFORE_1_0 = {
    "unit": "unit converted", "other unit than most": "unit unlike most", "no gravity found": "no gravity",
    "gravity included": "gravity found", "gravity put on": "gravity added", "no subjects": "no subject",
    "no activity": "no label", "no labels": "no label", "labels beyond the recording": "labels beyond the end",
    "unusable person": "unusable recording", "hole in a sensor": "gap in one sensor", "turned": "unseen orientation",
    "unlike the training": "unlike the training data", "axes": "axes inverted",
    "stray time stamps": "timestamp outliers", "ruined time stamps": "unusable timestamps",
    "batched time stamps": "batched timestamps", "unordered time stamps": "unordered timestamps",
    "shared time stamps": "shared timestamps",
}  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """Something wrong with a file and what was done about it."""

    source: str  # file, as the person named it, e.g. "14.Run/1101_O_3.csv"
    kind: ProblemKind
    detail: str  # what was found, with figures
    action: str  # what was done about it

    @classmethod
    def from_dict(cls, stored: Mapping[str, str]) -> Problem:
        """Read one from plain values, as `dataclasses.asdict` writes them."""
        return cls(stored["source"], ProblemKind(stored["kind"]), stored["detail"], stored["action"])
