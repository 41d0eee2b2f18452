"""How fast the site answers on KU-HAR: first page after start, every page at rest, and while a training runs."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests

from tests.browser.site import PASSWORD, ROOT, Site

DATA = Path(os.environ.get("HAR_DATA_DIR") or ROOT.parent / "shared" / "data")
PAGES = [
    "/",
    "/login",
    "/datasets/",
    "/datasets/add",
    "/datasets/ku-har",
    "/datasets/physiotherapy-example",
    "/training/",
    "/models/",
    "/admin/users",
    "/password",
]


def post(session: requests.Session, page: str, action: str, **answers: object) -> requests.Response:
    """Fill in the form of a page as a browser does, with its CSRF token."""
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', session.get(page, timeout=60).text)
    assert token
    return session.post(action, data={"csrf_token": token[1], **answers}, timeout=60)


def latencies(session: requests.Session, address: str, pages: list[str], repeats: int) -> dict[str, dict[str, float]]:
    """Return median and slowest time of each page, in milliseconds."""
    result = {}
    for page in pages:
        times = []
        for _ in range(repeats):
            started = time.perf_counter()
            response = session.get(address + page, timeout=60)
            times.append(1000 * (time.perf_counter() - started))
            assert response.status_code == 200, (page, response.status_code)
        result[page] = {"median_ms": round(statistics.median(times), 1), "slowest_ms": round(max(times), 1)}
    return result


def first_page(home: Path) -> tuple[Site, float]:
    """Start the site and return the seconds from the start of the process to its first page."""
    started = time.perf_counter()
    site = Site(home).start()
    assert site.is_up()
    return site, round(time.perf_counter() - started, 2)


def main() -> None:
    home = Path(tempfile.mkdtemp())
    site, first_start_s = first_page(home)
    session = requests.Session()
    assert site.setup_address
    account = {
        "username": "chief",
        "email": "chief@example.org",
        "contact_number": "+44 20 7946 0000",
        "address": "1 High Street",
        "password": PASSWORD,
        "password_again": PASSWORD,
    }
    assert post(session, site.setup_address, site.setup_address, **account).ok
    zip_path = DATA / "ku-har" / "1.Raw_time_domian_data.zip"
    subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app", "datasets", "add", "ku-har", str(zip_path)],
        cwd=ROOT,
        env=os.environ | {"HAR_HOME": str(home)},
        check=True,
        capture_output=True,
    )
    site.stop()
    site, start_s = first_page(home)
    at_rest = latencies(session, site.address, PAGES, 10)
    answers = {
        "dataset": "ku-har",
        "protocol": "subject",
        "models": ["elm-gru-am"],
        "seed": 0,
        "window_length_s": 3,
        "overlap": 0,
    }
    run = post(session, site.address + "/training/", site.address + "/training/", **answers)
    progress = run.url.removeprefix(site.address)
    time.sleep(8)
    training = latencies(session, site.address, [*PAGES, progress, progress + "/progress"], 10)
    assert session.get(run.url + "/progress", timeout=60).json()["status"] == "running"
    site.stop()
    print(
        json.dumps(
            {
                "very first start to first page (s)": first_start_s,
                "later start to first page (s)": start_s,
                "at rest": at_rest,
                "while a training runs": training,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
