"""The file formats that pages list, taken from the registries of the core, so that no list lacks one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HOW_TO_EXPORT: Mapping[str, str] = {  # apps and watches that people have, the commonest first
    "Sensor Logger": "iPhone, Android, Apple Watch, Wear OS. Record the accelerometer and the gyroscope. Under "
    "Recordings, open the recording, press Export and choose Zipped CSV.",
    "phyphox": "iPhone, Android. Open “Acceleration with g”, record, then choose Export Data in the menu and "
    "“CSV (Comma, decimal point)”.",
    "Physics Toolbox": "iPhone, Android. Choose Multi Record with g-Force Meter and Gyroscope, record with the red "
    "button, stop, and share the CSV file.",
    "Empatica EmbracePlus": "Wristband. Download the raw data (.avro) from Care Portal or its storage; all files of a "
    "participant in one zip are one recording.",
    "Empatica E4": "Wristband. In E4 Connect, open Sessions and download the session.",
    "Axivity": "Wrist monitors AX3 and AX6. Upload the .cwa file as it is on the device, or packed by gzip.",
    "ActiGraph GT3X": "Wrist or waist monitor. Upload the .gt3x file that ActiLife or CentrePoint downloaded.",
    "GENEActiv": "Wrist monitor. Upload the .bin file as the GENEActiv PC Software extracted it.",
    "FIT": "Garmin and other sports watches. With an app on the watch that logs the accelerometer, upload the .fit "
    "file of the activity (Garmin Connect: Export Original).",
    "Movesense": "Sensor on chest or limb. Upload the .json that the app or sbem2json wrote.",
    "Polar Sensor Logger": "Polar's straps and bands (H10, Verity Sense). In the app choose ACC, and GYRO and HR if "
    "you like; then share the text files, those of one recording in one zip.",
    "Apple Health": "iPhone, Apple Watch. Its export holds steps and pulse, no acceleration; record with Sensor Logger "
    "instead.",
    "ActiGraph": "Wrist or waist monitor. In ActiLife or CentrePoint, export the raw data (not counts or epochs) as "
    "CSV.",
    "AWARE": "Android, iPhone. Export the tables of the accelerometer and the gyroscope as CSV.",
    "Kinelab": "The layout of Kinelab itself, for files that you write with a program of your own.",
}
AFTER_A_QUESTION: Mapping[str, str] = {  # tables whose columns a person confirms
    "Movella DOT, Xsens, MbientLab": "Sensors on the body. Export CSV or text from the app of the maker.",
    "SensorLog, AndroSensor, MATLAB Mobile": "Phones. Export or share the recording as CSV or text.",
    "MATLAB, HDF5": "Matrices (.mat of any version, .h5): arrays of as many samples are the columns of a table.",
}
CONFIRM = "Kinelab shows what it takes the columns for, and you confirm it"


@dataclass(frozen=True)
class KnownFormat:
    """One format: the app or data set that writes it, and what its files look like."""

    name: str
    details: str
    export: str = ""  # how to get such a file from the app or watch; "" of what is published as a data set


def recording_formats() -> list[KnownFormat]:
    """Return the formats of recordings that can be uploaded, those of apps and devices first."""
    from app.har.recordings.devices.registry import DEVICES, DeviceReader  # modules that no start needs
    from app.har.recordings.importers import IMPORTERS, Importer

    importers: list[Importer | DeviceReader] = [*IMPORTERS, *DEVICES]
    formats = [
        KnownFormat(importer.APP, _details(importer.DESCRIPTION), HOW_TO_EXPORT.get(importer.APP, ""))
        for importer in importers
    ]
    formats += [KnownFormat(name, CONFIRM, export) for name, export in AFTER_A_QUESTION.items()]
    order = {name: position for position, name in enumerate((*HOW_TO_EXPORT, *AFTER_A_QUESTION))}
    return sorted(formats, key=lambda known: order.get(known.name, len(order)))


def dataset_formats() -> list[KnownFormat]:
    """Return the formats of data sets that can be added without a description."""
    from app.har.datasets.loaders import LOADERS

    return [KnownFormat(loader.TITLE, _details(loader.DESCRIPTION)) for loader in LOADERS]


def _details(description: str) -> str:
    """Return what follows the name in a description such as ``phyphox: columns …``."""
    return description.partition(": ")[2] or description
