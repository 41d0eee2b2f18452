"""A client of Kinelab's API in about a hundred lines. It needs Python and nothing else.

export KINELAB=https://kinelab.example.org KINELAB_TOKEN=kinelab_…
python client.py upload walk.csv wrist      # recognise a file; prints its bouts as CSV
python client.py list                       # all recordings
python client.py alarms                     # those that are not closed
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

TRIES = 5


class Problem(Exception):
    """What the server refuses, with its document (RFC 9457)."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(f"{document['status']} {document['title']}: {document['detail']}")
        self.document = document


class Kinelab:
    """One installation, in the name of whoever made the token."""

    def __init__(self, address: str, token: str) -> None:
        self.address, self.token = f"{address.rstrip('/')}/api/v1", token
        self.known: dict[str, tuple[str, Any]] = {}  # by address: ETag and document

    def call(self, method: str, path: str, body: bytes | None = None, media: str = "application/json") -> Any:
        """Send a request; wait and send it again where the server says so. A POST is done once, however often."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": media}
        if method == "POST":
            headers["Idempotency-Key"] = uuid.uuid4().hex
        if method == "GET" and path in self.known:
            headers["If-None-Match"] = self.known[path][0]
        for attempt in range(TRIES):
            try:
                with urlopen(Request(self.address + path, body, headers, method=method)) as answer:  # noqa: S310
                    content = answer.read()
                    document = json.loads(content) if answer.headers.get_content_subtype() == "json" else content
                    if method == "GET" and (etag := answer.headers["ETag"]):
                        self.known[path] = etag, document
                    return document
            except HTTPError as error:
                if error.code == 304:
                    return self.known[path][1]
                if error.code not in (429, 503) or attempt == TRIES - 1:
                    raise Problem(json.load(error)) from error
                time.sleep(float(error.headers.get("Retry-After", 2)))
        return None

    def items(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Yield all of a list, a part at a time."""
        while True:
            part = self.call("GET", f"{path}?{urlencode(query)}" if query else path)
            yield from part["items"]
            if not part.get("next"):
                return
            query["cursor"] = part["next"]

    def upload(self, path: Path, **fields: str) -> dict[str, Any]:
        """Upload a file and return the recording that it becomes."""
        edge = uuid.uuid4().hex
        body = b"".join(
            f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        )
        body += f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n\r\n'.encode()
        body += path.read_bytes() + f"\r\n--{edge}--\r\n".encode()
        recording: dict[str, Any] = self.call("POST", "/recordings", body, f"multipart/form-data; boundary={edge}")
        return recording


def main(arguments: list[str]) -> None:
    site = Kinelab(os.environ["KINELAB"], os.environ["KINELAB_TOKEN"])
    match arguments:
        case ["upload", name, *place]:
            recording = site.upload(Path(name), **({"place": place[0]} if place else {}))
            print("start_s,end_s,activity,confidence")
            for bout in site.items(f"/recordings/{recording['id']}/bouts", limit=1000):
                print(bout["start_s"], bout["end_s"], bout["activity"], bout["confidence"], sep=",")
        case ["list"]:
            for recording in site.items("/recordings", limit=100):
                print(recording["id"], recording["created"], recording["title"] or recording["filename"], sep="\t")
        case ["alarms"]:
            for alarm in site.items("/alarms"):
                if alarm["state"] != "closed":
                    print(alarm["id"], alarm["created"], alarm["kind"], alarm["state"], sep="\t")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Problem as problem:
        sys.exit(str(problem))
