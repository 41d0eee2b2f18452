"""Layouts that apps, sensor boxes and data sets publish, each written from one walk whose truth is known.

Every layout says where it is described. What is right for each is asked in `tests/har/test_layouts.py`; the table in
docs/IMPORTS.md is made of them by `python -m benchmarks.imports_table`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from app.har.recordings.conversions import open_tables
from app.har.recordings.files import in_memory
from app.har.recordings.importers import importer_of
from app.har.recordings.mappings import mapped
from app.har.recordings.mappings.guess_files import guess_files
from app.har.recordings.mappings.mapping import unknown_tables
from app.har.signals.normalisation import normalise_upload
from app.har.signals.types import Recording
from tests import cases
from tests.cases import DEG, Values, stamp
from tests.cases import G as ONE_G

START_S = 1_707_125_400.0  # Unix time of `cases.BASE`
START_MS = 1_707_125_400_000
T, A, W, GRAVITY = cases.person()
FREE = A - GRAVITY
N = len(T)
MOVED = [2, 0, 1]  # the order of the axes of a second device, so that devices are told apart
Cells = list[str]


def num(values: Values, digits: int = 5) -> list[Cells]:
    """Return numbers as columns of text."""
    columns = values[:, None] if values.ndim == 1 else values
    return [[f"{value:.{digits}f}" for value in column] for column in columns.T.tolist()]


def every(*cells: str) -> list[Cells]:
    """Return columns that hold one text all along."""
    return [[cell] * N for cell in cells]


def counted(start: int, step: int) -> list[Cells]:
    """Return a column that counts."""
    return [[str(start + i * step) for i in range(N)]]


def dates(form: str = "%Y-%m-%d %H:%M:%S") -> list[Cells]:
    """Return a column of dates with milliseconds."""
    return [[stamp(x, form) for x in T]]


def text(columns: Sequence[Cells], *above: str, separator: str = ",") -> str:
    """Return lines and, below them, columns."""
    return "\n".join([*above, *(separator.join(row) for row in zip(*columns, strict=True)), ""])


def long(rows: Mapping[str, Values], line: Callable[[int, str, str], str], separator: str = ",") -> list[str]:
    """Return a row a sensor and time, as `line` makes one of the number of the sample, the sensor and its cells."""
    cells = {name: [separator.join(row) for row in zip(*num(own), strict=True)] for name, own in rows.items()}
    return [line(i, name, own[i]) for i in range(N) for name, own in cells.items()]


@dataclass(frozen=True)
class PublicLayout:
    """One layout, a file of it, and what must be read."""

    name: str
    described: str
    easily_misread: str
    files: Mapping[str, str]
    sensors: Mapping[str, Values] = field(default_factory=dict)  # m/s², rad/s
    gravity: str = "included"
    rate_hz: float = 100.0
    origin_utc_s: float | None = None
    activities: tuple[str, ...] = ()
    refused: str = ""  # words of the refusal, where it is not read


BOTH = {"accelerometer": A, "gyroscope": W}
XYZ = "x,y,z"
FIELD = np.column_stack([20 + W[:, 0], -5 + W[:, 1], -38 + W[:, 2]])  # µT
HUGADB = [
    f"{sensor}_{place}_{axis}"
    for place in ("rf", "rs", "rt", "lf", "ls", "lt")
    for sensor in ("acc", "gyro")
    for axis in "xyz"
]
MT_HEADINGS = "PacketCounter,SampleTimeFine,Acc_X,Acc_Y,Acc_Z,Gyr_X,Gyr_Y,Gyr_Z".replace(",", "\t")
LAYOUTS = (
    PublicLayout(
        "Movella (Xsens) DOT, CSV",
        "Movella DOT Mobile SDK and the app's export: PacketCounter, SampleTimeFine, …",
        "SampleTimeFine counts µs and starts again after 4,295 s",
        {
            "Left wrist.csv": text(
                [
                    *counted(0, 1),
                    [str((4_294_000_000 + i * 10_000) % 2**32) for i in range(N)],
                    *num(A),
                    *num(W * DEG),
                    *num(FIELD / 50),
                ],
                "sep=,",
                "DeviceTag:,Left wrist",
                "FirmwareVersion:,2.0.0",
                "AppVersion:,2021.0.0",
                "SyncStatus:,Synced",
                "OutputRate:,100Hz",
                "FilterProfile:,General",
                "Measurement Mode:,Rate quantities (with mag)",
                "",
                "PacketCounter,SampleTimeFine,Acc_X,Acc_Y,Acc_Z,Gyr_X,Gyr_Y,Gyr_Z,Mag_X,Mag_Y,Mag_Z",
            )
        },
        BOTH,
    ),
    PublicLayout(
        "Xsens MT Manager, text",
        "MT Manager's ASCII export, as of MTw Awinda",
        "SampleTimeFine counts ticks of 0.1 ms: read as ms it would be a tenth of the rate",
        {
            "MT_00B42D4F.txt": text(
                [*counted(51_400, 1), *counted(2_000_000, 100), *num(A, 6), *num(W, 6)],
                "// General information: ",
                "//  MT Manager version: 2022.2.0 ",
                "// Device information: ",
                "//  DeviceId: 00B42D4F",
                "//  Filter Profile: human(46.1)",
                MT_HEADINGS,
                separator="\t",
            )
        },
        BOTH,
    ),
    PublicLayout(
        "Xsens MT Manager without times",
        "the same, where the device sends no SampleTimeFine",
        "no column counts time; the rate is in a line above the table",
        {
            "MT_00B42D4F.txt": text(
                [*counted(51_400, 1), *every(""), *num(A, 6), *num(W, 6)],
                "// General information: ",
                "//  MT Manager version: 2022.2.0 ",
                "//  Filter Profile: human(46.1)",
                "//  Update Rate: 100.0Hz",
                MT_HEADINGS,
                separator="\t",
            )
        },
        BOTH,
    ),
    PublicLayout(
        "MbientLab MetaBase, CSV",
        "mbientlab.com, MetaBase: epoc (ms), timestamp (zone), elapsed (s), x-axis (g), …",
        "the local time beside Unix time, its offset in the heading, would be taken for UTC",
        {
            f"MetaWear_D1_{sensor}_100.000Hz_1.4.4.csv": text(
                [*counted(START_MS, 10), [stamp(x - 4 * 3600, "%Y-%m-%dT%H:%M:%S") for x in T], *num(T, 3), *num(own)],
                f"epoc (ms),timestamp (-0400),elapsed (s),x-axis ({unit}),y-axis ({unit}),z-axis ({unit})",
            )
            for sensor, own, unit in (("Accelerometer", A / ONE_G, "g"), ("Gyroscope", W * DEG, "deg/s"))
        },
        BOTH,
        origin_utc_s=START_S,
    ),
    PublicLayout(
        "AndroSensor, CSV",
        "fivasim.com/androsensor: a column a sensor and axis, between semicolons",
        "a date with underscores in its heading and a colon before the milliseconds; columns of places and sound",
        {
            "Sensor_record_20240205_093000_AndroSensor.csv": text(
                [
                    *num(A),
                    *num(GRAVITY),
                    *num(FREE),
                    *num(W),
                    *every("12"),
                    *num(FIELD),
                    *every("120", "3", "4", "8", ""),
                    *counted(0, 10),
                    [stamp(x).replace(".", ":") for x in T],
                ],
                ";".join(
                    [
                        f"{sensor} {axis} (m/s²)"
                        for sensor in ("ACCELEROMETER", "GRAVITY", "LINEAR ACCELERATION")
                        for axis in "XYZ"
                    ]
                    + [f"GYROSCOPE {axis} (rad/s)" for axis in "XYZ"]
                    + ["LIGHT (lux)"]
                    + [f"MAGNETIC FIELD {axis} (μT)" for axis in "XYZ"]
                    + [
                        "ORIENTATION Z (azimuth °)",
                        "ORIENTATION X (pitch °)",
                        "ORIENTATION Y (roll °)",
                        "PROXIMITY (i)",
                    ]
                    + ["LOCATION Latitude : ", "Time since start in ms ", "YYYY-MO-DD HH-MI-SS_SSS"]
                ),
                separator=";",
            )
        },
        {**BOTH, "gravity": GRAVITY, "linear_accelerometer": FREE, "magnetometer": FIELD},
        origin_utc_s=START_S,
    ),
    PublicLayout(
        "RealWorld HAR, CSV",
        "Sztyler & Stuckenschmidt, PerCom 2016; sensor.informatik.uni-mannheim.de",
        "columns called attr_x in every file: the name of the file alone says which sensor",
        {
            f"{name}_walking_chest.csv": text(
                [*counted(1, 1), *counted(START_MS, 10), *num(own, 6)], "id,attr_time,attr_x,attr_y,attr_z"
            )
            for name, own in (("acc", A), ("Gyroscope", W))
        },
        BOTH,
        origin_utc_s=START_S,
    ),
    PublicLayout(
        "HARTH and HAR70+, CSV",
        "Logacjov et al., Sensors 21 (2021); archive.ics.uci.edu",
        "two devices in one table; numbers are labels",
        {
            "S006.csv": text(
                [
                    [f"{stamp(x)}000" for x in T],
                    *num(A / ONE_G, 6),
                    *num(A[:, MOVED] / ONE_G, 6),
                    ["6" if x < 15 else "1" for x in T],
                ],
                "timestamp,back_x,back_y,back_z,thigh_x,thigh_y,thigh_z,label",
            )
        },
        {"back.accelerometer": A, "thigh.accelerometer": A[:, MOVED]},
        origin_utc_s=START_S,
        activities=("6", "1"),
    ),
    PublicLayout(
        "Axivity AX6, CSV",
        "Open Movement's omconvert and OmGui: Time, Accel-X (g), …, Gyro-X (d/s), …",
        "d/s are degrees a second; spaces behind the commas of the heading",
        {
            "123.csv": text(
                [*dates(), *num(A / ONE_G, 6), *num(W * DEG, 6)],
                "Time,Accel-X (g), Accel-Y (g), Accel-Z (g), Gyro-X (d/s), Gyro-Y (d/s), Gyro-Z (d/s)",
            )
        },
        BOTH,
        origin_utc_s=START_S,
    ),
    PublicLayout(
        "Axivity AX3, raw CSV",
        "OmGui, Export Raw CSV: a date and g, without headings",
        "no headings",
        {"123.csv": text([*dates(), *num(A / ONE_G, 6)])},
        {"accelerometer": A},
        origin_utc_s=START_S,
    ),
    PublicLayout(
        "GENEActiv, CSV",
        "GENEActiv PC software, bin to csv; read by GGIR: 100 lines, then date, g, lux, button, °C",
        "99 lines and more above a table without headings; a colon before the milliseconds",
        {
            "left wrist.csv": text(
                [[stamp(x).replace(".", ":") for x in T], *num(A / ONE_G), *every("18", "0", "25.8")],
                "Device Type,GENEActiv",
                "Device Model,1.1",
                "Device Unique Serial Code,1234",
                "Calibration Date,2023-01-01 01:01:01:000",
                "Measurement Frequency,100 Hz",
                "Start Time,2024-02-05 09:30:00:000",
                "Device Location Code,left wrist",
                *[" "] * 93,
            )
        },
        {"accelerometer": A},
        origin_utc_s=START_S,
    ),
    PublicLayout(
        "Beiwe, Android",
        "github.com/onnela-lab/beiwe-backend, forest: timestamp, UTC time, accuracy, x, y, z",
        "–",
        {
            "accelerometer/2024-02-05 09_00_00+00_00.csv": text(
                [*counted(START_MS, 10), *dates("%Y-%m-%dT%H:%M:%S"), *every("unknown"), *num(A, 6)],
                f"timestamp,UTC time,accuracy,{XYZ}",
            )
        },
        {"accelerometer": A},
        origin_utc_s=START_S,
    ),
    PublicLayout(
        "Beiwe, iOS",
        "the same; what CoreMotion gives, unchanged",
        "in g, with Apple's sign, under the same headings",
        {
            "accelerometer/2024-02-05 09_00_00+00_00.csv": text(
                [*counted(START_MS, 10), *dates("%Y-%m-%dT%H:%M:%S"), *every("unknown"), *num(-A / ONE_G, 6)],
                f"timestamp,UTC time,accuracy,{XYZ}",
            )
        },
        {"accelerometer": A},
        origin_utc_s=START_S,
    ),
    PublicLayout(
        "Beiwe, iOS, device motion",
        "the same",
        "gravity and user acceleration apart, in g with Apple's sign",
        {
            "devicemotion/2024-02-05 09_00_00+00_00.csv": text(
                [
                    *counted(START_MS, 10),
                    *dates("%Y-%m-%dT%H:%M:%S"),
                    *every("0.1", "0.2", "0.3"),
                    *num(W, 6),
                    *num(-GRAVITY / ONE_G, 6),
                    *num(-FREE / ONE_G, 6),
                    *every("high"),
                    *num(FIELD),
                ],
                "timestamp,UTC time,roll,pitch,yaw,rotation_rate_x,rotation_rate_y,rotation_rate_z,gravity_x,gravity_y,"
                "gravity_z,user_accel_x,user_accel_y,user_accel_z,magnetic_field_calibration_accuracy,magnetic_field_x,"
                "magnetic_field_y,magnetic_field_z",
            )
        },
        {**BOTH, "gravity": GRAVITY, "linear_accelerometer": FREE},
        origin_utc_s=START_S,
    ),
    PublicLayout(
        "RADAR-base, CSV",
        "github.com/RADAR-base/RADAR-Schemas: key.userId, value.time, value.x, …",
        "two columns of time; a project and a source are nobody's names",
        {
            "20240205_0900.csv": text(
                [
                    *every("study", "person-1", "phone-1"),
                    *num(START_S + T, 3),
                    *num(START_S + T + 0.02, 3),
                    *num(A / ONE_G, 6),
                ],
                "key.projectId,key.userId,key.sourceId,value.time,value.timeReceived,value.x,value.y,value.z",
            )
        },
        {"accelerometer": A},
        origin_utc_s=START_S,
    ),
    PublicLayout(
        "Vicon Blue Trident, CSV",
        "Capture.U's export: time_s, ax_m/s/s, …, gx_deg/s, …",
        "m/s/s",
        {
            "lowg.csv": text(
                [*num(T, 3), *num(A), *num(W * DEG)],
                "time_s,ax_m/s/s,ay_m/s/s,az_m/s/s,gx_deg/s,gy_deg/s,gz_deg/s",
            )
        },
        BOTH,
    ),
    PublicLayout(
        "WitMotion, text",
        "wit-motion.com, the recording of its PC software",
        "AsX is rotation; DeviceName is no person",
        {
            "data_20240205.txt": text(
                [
                    *dates(),
                    *every("WT901(c1:2d)", "null"),
                    *num(A / ONE_G, 3),
                    *num(W * DEG, 3),
                    *every("-0.4", "-1.4", "64.3"),
                    *num(FIELD),
                    *every("25.1"),
                ],
                (
                    "time,DeviceName,ChipTime(),AccX(g),AccY(g),AccZ(g),AsX(°/s),AsY(°/s),AsZ(°/s),AngleX(°),AngleY(°),"
                    "AngleZ(°),HX(uT),HY(uT),HZ(uT),Temperature(°C)"
                ).replace(",", "\t"),
                separator="\t",
            )
        },
        BOTH,
        origin_utc_s=START_S,
    ),
    PublicLayout(
        "Sensor Fusion app (Linköping), stream",
        "github.com/martisak/sensorstreamer: ms, ACC, GYR or MAG, x, y, z",
        "a row a sensor without headings: 300 Hz of one sensor",
        {
            "output.tsv": "\n".join(
                long(
                    {"ACC": A, "GYR": W, "MAG": FIELD},
                    lambda i, name, own: f"{122_130_049 + 10 * i}\t{name}\t{own}",
                    "\t",
                )
            )
        },
        {**BOTH, "magnetometer": FIELD},
    ),
    PublicLayout(
        "Android GnssLogger, device_imu.csv",
        "Google Smartphone Decimeter Challenge: MessageType, utcTimeMillis, …",
        "a row a sensor, with columns of bias beside those of the measurement",
        {
            "device_imu.csv": "\n".join(
                [
                    "MessageType,utcTimeMillis,elapsedRealtimeNanos,MeasurementX,MeasurementY,MeasurementZ,BiasX,BiasY,BiasZ",
                    *long(
                        {"UncalAccel": A, "UncalGyro": W, "UncalMag": FIELD},
                        lambda i, name, own: f"{name},{START_MS + 10 * i},{900_000_000 + 10**7 * i},{own},0,0,0",
                    ),
                ]
            )
        },
        {**BOTH, "magnetometer": FIELD},
        origin_utc_s=START_S,
    ),
    PublicLayout(
        "A logger that numbers sensors 1, 2, 3",
        "loggers that say 1 accelerometer, 2 gyroscope, 3 magnetometer",
        "by Android's numbers 2 is the magnetometer and 3 the orientation",
        {
            "SM-G950U_IMU_20240205093000.txt": "\n".join(
                long({"1": A, "2": W, "3": FIELD}, lambda i, name, own: f"{START_MS + 10 * i}, N/A, {name}, {own}")
            )
        },
        {**BOTH, "magnetometer": FIELD},
        origin_utc_s=START_S,
    ),
    PublicLayout(
        "FHWS SensorReadout, CSV",
        "git.frank-ebner.de/FHWS/SensorReadout: ns; EventId; values",
        "rows of many lengths, numbers that are not Android's: read as one sensor of 500 Hz",
        {
            "1.csv": "\n".join(
                [
                    "0;-2;Mon Feb 05 09:30:00 GMT+01:00 2024;Markus;FHWS",
                    "0;50;STANDING;1",
                    *long(
                        {"0": A, "3": W, "1": GRAVITY, "2": FREE, "12": np.column_stack([W, W[:, 0]])},
                        lambda i, name, own: f"{51_272_330 + 10**7 * i};{name};{own}",
                        ";",
                    ),
                ]
            )
        },
        refused="column 2 seems to number the sensor of each row .0, 1, 2, 3, 12.",
    ),
    PublicLayout(
        "MobiAct, text",
        "Vavoulas et al., ICT4AgeingWell 2016: a head of # lines, then @DATA",
        "words, numbers and a unit in the lines of the head",
        {
            "WAL_acc_5_1.txt": text(
                [*counted(1_899_640_312_000, 10**7), *num(A, 7)],
                "#Code: WAL",
                "#Activity: Walking - 5m",
                "#Subject ID: 5",
                "#First Name: sub5",
                "#Age: 36",
                "#Height: 160",
                "#Sensor: Accelerometer",
                "",
                "#Datatype: timestamp(ns),x,y,z(m/s^2)",
                "",
                "@DATA",
            )
        },
        {"accelerometer": A},
    ),
    PublicLayout(
        "mHealth, log",
        "Banos et al., IWAAL 2014; archive.ics.uci.edu: 24 columns, 50 Hz",
        "two columns of ECG move all axes behind them by two; no clock",
        {
            "mHealth_subject1.log": text(
                [
                    *num(A),
                    *num(np.sin(T)),
                    *num(np.cos(T)),
                    *num(A[:, MOVED]),
                    *num(W * DEG),
                    *num(FIELD / 50),
                    *num(A[:, MOVED][:, MOVED]),
                    *num(W[:, MOVED] * DEG),
                    *num(FIELD / 50),
                    ["4" if x > 10 else "0" for x in T],
                ],
                separator="\t",
            )
        },
        {
            "chest.accelerometer": A,
            "ankle.accelerometer": A[:, MOVED],
            "ankle.gyroscope": W,
            "wrist.accelerometer": A[:, MOVED][:, MOVED],
            "wrist.gyroscope": W[:, MOVED],
        },
        rate_hz=50.0,
        activities=("0", "4"),
    ),
    PublicLayout(
        "Daily and Sports Activities, text",
        "Altun et al., Pattern Recognition 43 (2010): 45 columns, 25 Hz",
        "no clock",
        {
            "s01.txt": text(
                [*(column for k in range(5) for own in (A, W, FIELD / 50) for column in num(np.roll(own, k, axis=1)))]
            )
        },
        {
            f"{place}.{sensor}": np.roll(own, k, axis=1)
            for k, place in enumerate(("torso", "right-arm", "left-arm", "right-leg", "left-leg"))
            for sensor, own in BOTH.items()
        },
        rate_hz=25.0,
    ),
    PublicLayout(
        "HuGaDB, text",
        "Chereshnev & Kertész-Farkas, AIST 2017; github.com/romanchereshnev/HuGaDB",
        "raw counts of six devices below lines of #; no clock",
        {
            "HuGaDB_v2_walking_01_00.txt": text(
                [
                    *(
                        column
                        for k in range(6)
                        for own in (A / ONE_G * 16384, W * DEG * 16.4)
                        for column in num(np.roll(own, k, axis=1), 0)
                    ),
                    *every("120", "122", "1"),
                ],
                "#Activity\twalking ",
                "#ActivityID\t1 ",
                "#Date\t2017-01-01 ",
                "\t".join([*HUGADB, "EMG_r", "EMG_l", "act"]),
                separator="\t",
            )
        },
        {
            f"{place}.{sensor}": np.roll(own, k, axis=1)
            for k, place in enumerate(
                ("right-foot", "right-shin", "right-thigh", "left-foot", "left-shin", "left-thigh")
            )
            for sensor, own in BOTH.items()
        },
        rate_hz=56.35,
        activities=("1",),
    ),
    PublicLayout(
        "Walking, stairs and driving (PhysioNet), CSV",
        "Karas et al., accelerometry-walk-climb-drive 1.0.0",
        "four devices by two letters; numbers are labels",
        {
            "id00b70b13.csv": text(
                [
                    ["1" if x < 15 else "99" for x in T],
                    *num(T, 2),
                    *(column for k in range(4) for column in num(np.roll(A, k, axis=1) / ONE_G, 3)),
                ],
                "activity,time_s,lw_x,lw_y,lw_z,lh_x,lh_y,lh_z,la_x,la_y,la_z,ra_x,ra_y,ra_z",
            )
        },
        {f"{place}.accelerometer": np.roll(A, k, axis=1) for k, place in enumerate(("lw", "lh", "la", "ra"))},
        activities=("1", "99"),
    ),
    PublicLayout(
        "Sussex-Huawei Locomotion, text",
        "Gjoreski et al., IEEE Access 6 (2018): Hand_Motion.txt, 23 columns",
        "no headings",
        {
            "Hand_Motion.txt": text(
                [
                    *num(START_MS + 1000 * T, 2),
                    *num(A, 6),
                    *num(W, 6),
                    *num(FIELD, 6),
                    *every("0.7", "0.1", "0.2", "0.6"),
                    *num(GRAVITY, 6),
                    *num(FREE, 6),
                    *every("1013.2", "44.1", "26.5"),
                ],
                separator=" ",
            )
        },
        BOTH,
        origin_utc_s=START_S,
    ),
    PublicLayout(
        "ExtraSensory, raw_acc",
        "Vaizman et al., IEEE Pervasive Computing 16 (2017): time x y z between spaces",
        "what each phone gives, unchanged: an iPhone's is in g with Apple's sign",
        {"1440980102.m_raw_acc.dat": text([*num(162_888.18 + T, 6), *num(-A / ONE_G, 6)], separator=" ")},
        {"accelerometer": A},
    ),
    PublicLayout(
        "PicoQuake, CSV",
        "github.com/PLab-SI/PicoQuake, docs: count, a_x, …, g_x, … below lines of #",
        "no clock; of the rates and widths above the table one is the rate",
        {
            "acquisition.csv": text(
                [*counted(1, 1), *num(A / ONE_G), *num(W * DEG)],
                "# PLab PicoQuake Data",
                "# Time: 2024-02-05 09:30:00.333682, Device: D4E9 (E6632891E36F2029)",
                "# Num. samples: 3000, Duration: 30.0 s",
                "# Config: filter = 42 Hz, data_rate = 100.0 Hz, acc_range = 4 g, gyro_range = 250.0 dps",
                "count,a_x,a_y,a_z,g_x,g_y,g_z",
            )
        },
        BOTH,
    ),
    PublicLayout(
        "MATLAB, writetimetable",
        "MATLAB's writetimetable on MATLAB Mobile's Acceleration and AngularVelocity",
        "months in words",
        {
            f"{name}.csv": text([*dates("%d-%b-%Y %H:%M:%S"), *num(own)], "Timestamp,X,Y,Z")
            for name, own in (("Acceleration", A), ("AngularVelocity", W))
        },
        BOTH,
        origin_utc_s=START_S,
    ),
    PublicLayout(
        "Edge Impulse, JSON",
        "docs.edgeimpulse.com, data acquisition format",
        "–",
        {
            "walk.json": json.dumps(
                {
                    "protected": {"ver": "v1", "alg": "none"},
                    "signature": "0",
                    "payload": {
                        "device_type": "NANO",
                        "interval_ms": 10,
                        "sensors": [{"name": f"acc{axis}", "units": "m/s2"} for axis in "XYZ"],
                        "values": A[:100].tolist(),
                    },
                }
            )
        },
        refused="is Edge Impulse's data acquisition format .*payload.interval_ms",
    ),
)


def read_layout(layout: PublicLayout) -> Recording:
    """Read a layout as the page does: by the guess at its columns, which a person confirms."""
    tables = open_tables([in_memory(name, text.encode()) for name, text in layout.files.items()])
    assert not tables.unread
    assert all(importer_of(source.layout) is None for source in tables.sources)
    sources, found = guess_files(unknown_tables(tables))
    (recording,) = normalise_upload(mapped.read(sources, found.mapping))
    return recording
