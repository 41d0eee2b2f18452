"""How long an upload takes from its POST to the redirect, the reference model in memory.

``own table``: 30 MB of CSV at 100 Hz, six channels, under headings that nothing here knows, read by a saved mapping;
``own workbook``: the same as an Excel sheet of three minutes; ``known table``: the CSV in Kinelab's layout, which is
what reading and recognition take themselves. ``--against PATH`` measures another checkout beside this one, each in a
process and with a home of its own, in turns, so that both meet the same load of the machine.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
MEGABYTES, RATE_HZ, REPEATS = 30, 100, 9
BYTES_A_ROW = 73
WORKBOOK_ROWS = 3 * 60 * RATE_HZ
OWN = "clock,forward,left,up,roll rate,pitch rate,yaw rate"
KNOWN = "time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z"
FILES = {"own table": "walk.csv", "own workbook": "walk.xlsx", "known table": "known.csv"}
SENSORS = {"accelerometer": ("forward", "left", "up"), "gyroscope": ("roll rate", "pitch rate", "yaw rate")}
ACCOUNT = {"username": "walker", "password": "correct horse battery"}


def write_files(folder: Path) -> None:
    """Write a recording of a walk, with pauses, in each of the layouts."""
    from tests.exports import workbook

    own, known = walk(OWN), walk(KNOWN)
    (folder / FILES["own table"]).write_bytes(own)
    (folder / FILES["known table"]).write_bytes(known)
    header, *lines = own.decode().splitlines()[: WORKBOOK_ROWS + 1]
    rows = [header.split(","), *([float(cell) for cell in line.split(",")] for line in lines)]
    (folder / FILES["own workbook"]).write_bytes(workbook({"Walk": rows}))


def walk(header: str) -> bytes:
    """Return MEGABYTES of CSV."""
    import polars as pl

    rng = np.random.default_rng(0)
    n = MEGABYTES * 10**6 // BYTES_A_ROW
    time_s = np.arange(n) / RATE_HZ + rng.uniform(-1e-3, 1e-3, n)
    energy = np.where(time_s // 30 % 4 == 3, 0.05, 1.0)
    step = np.sin(2 * np.pi * 1.8 * time_s)[:, None] * np.array([1.0, 2.0, 1.5, 0.4, 0.6, 0.5])
    values = energy[:, None] * (step + rng.normal(0, 0.3, (n, 6))) + np.array([0, 0, 9.81, 0, 0, 0])
    columns = {"t": time_s, **{str(i): axis for i, axis in enumerate(values.T)}}
    text = io.BytesIO()
    text.write(header.encode() + b"\n")
    pl.DataFrame(columns).write_csv(text, include_header=False, float_precision=7)
    return text.getvalue()


def multipart(path: Path) -> dict[str, Any]:
    """Return what a browser sends of a form with a file; made beforehand, for it is not the site's work."""
    head = f'--edge\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n\r\n'
    return {
        "data": head.encode() + path.read_bytes() + b"\r\n--edge--\r\n",
        "content_type": "multipart/form-data; boundary=edge",
    }


def site() -> tuple[Any, Any]:
    """Prepare a site of the checkout that is imported; return it, and a client that is logged in."""
    from app import create_app
    from app.services import accounts, installation
    from config import Config

    config = Config()
    config.WTF_CSRF_ENABLED = False  # type: ignore[attr-defined]
    app = create_app(config)
    with app.app_context():
        installation.prepare()
        accounts.register(**ACCOUNT, contact_number="+44 20 7946 0000", email="w@example.org", address="1 High Street")
    client = app.test_client()
    client.post("/login", data=ACCOUNT)
    return app, client


def serve(files: Path) -> None:
    """Serve the checkout in the current folder; time an upload for each line of stdin."""
    sys.path.insert(0, str(Path.cwd()))
    _, client = site()
    bodies = {name: multipart(files / file) for name, file in FILES.items()}

    def upload(name: str) -> str:
        response = client.post("/predictions/", **bodies[name])
        assert response.status_code == 302, (response.status_code, response.text)
        return str(response.location)

    save_mapping(client, upload("own table"))  # the workbook has the same headings
    for name in sys.stdin:
        started = time.perf_counter()
        location = upload(name.strip())
        seconds = time.perf_counter() - started
        assert location.startswith("/predictions/"), location
        client.post(f"{location}/delete")
        print(json.dumps(seconds), flush=True)


def save_mapping(client: Any, address: str) -> None:
    """Say what the columns of the first upload are, as a person does on its page."""
    page = client.get(address).text
    answers = {}
    for field, body in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', page, re.S):
        options = re.findall(r'<option( selected)? value="([^"]*)"', body)
        answers[field] = unescape(next((value for chosen, value in options if chosen), options[0][1]))
    answers |= {"columns-time": "clock", "columns-time_unit": "s", "columns-label": "", "columns-subject": ""}
    for i, (kind, axes) in enumerate(SENSORS.items()):
        unit = {"kind": kind, "unit": "rad/s" if kind == "gyroscope" else "m/s²"}
        answers |= {
            f"columns-sensors-{i}-{key}": value for key, value in (unit | dict(zip("xyz", axes, strict=True))).items()
        }
    response = client.post(address, data={**answers, "name": "walks", "confirm": "1"})
    assert response.status_code == 302, response.text


class Site:
    """A process that serves one checkout, with a home of its own."""

    def __init__(self, checkout: Path, home: Path, files: Path) -> None:
        environment = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "PYTHONPATH")}
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), "--serve", str(files)],
            cwd=checkout,
            env=environment | {"HAR_HOME": str(home)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self, name: str) -> float:
        """Return how long the upload of a file of this name takes."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{name}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def main(against: Path | None, repeats: int) -> None:
    """Measure and print the figures."""
    checkouts = {"this checkout": ROOT, **({"the other checkout": against} if against else {})}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_files(folder)
        sites = {name: Site(checkout, folder / name, folder) for name, checkout in checkouts.items()}
        times: dict[str, dict[str, list[float]]] = {name: {file: [] for file in FILES} for name in sites}
        for repeat in range(repeats + 1):
            for file in FILES:
                for name, site in sites.items():
                    seconds = site.seconds(file)
                    if repeat:  # the first is to warm up
                        times[name][file].append(seconds)
        for site in sites.values():
            site.process.communicate()
    figures: dict[str, Any] = {"file (MB)": MEGABYTES, "rate (Hz)": RATE_HZ, "repetitions": repeats}
    for name, files in times.items():
        figures[name] = {
            f"{file}, {what} (s)": round(measure(seconds), 3)
            for file, seconds in files.items()
            for what, measure in (("median", statistics.median), ("fastest", min))
        }
    if against:
        ours, theirs = times.values()
        figures["this checkout, in times of the other (median of pairs)"] = {
            file: round(statistics.median(a / b for a, b in zip(ours[file], theirs[file], strict=True)), 3)
            for file in FILES
        }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout, measured in turns with this one")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
    else:
        main(options.against and options.against.resolve(), options.repeats)
