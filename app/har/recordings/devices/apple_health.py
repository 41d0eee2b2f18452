"""Apple Health, `export.xml`: what an iPhone and its watch made of their sensors. It holds no acceleration.

Nothing can be recognised from it. The reader says so, and what there is, so that nobody looks for another fault.
"""

from __future__ import annotations

import re
from collections import Counter

from app.har.errors import UnreadableData
from app.har.recordings.files import Member
from app.har.signals.types import Recording

APP = "Apple Health"
DESCRIPTION = "Apple Health: export.xml, which holds no acceleration; the message says what to upload instead"
ROOT = re.compile(rb"\s*(<\?xml[^>]*>\s*)?(<!DOCTYPE\s+HealthData\b|<HealthData\b)")
RECORD = re.compile(rb'<Record type="HK\w{1,20}?TypeIdentifier(\w{1,60})"')
AT_ONCE, LAP = 4 * 2**20, 120  # bytes, and those in which a record may begin before the end of a part
LISTED = 4


def matches(member: Member, head: bytes) -> bool:
    """Tell whether a file begins as such an export."""
    return ROOT.match(head.removeprefix(b"\xef\xbb\xbf")) is not None


def read(members: list[Member], upload: str) -> list[Recording]:
    """Refuse the files, and say what they hold.

    Raises
    ------
    UnreadableData : always.
    """
    found: Counter[str] = Counter()
    for member in members:
        rest = b""
        for part in member.parts(AT_ONCE):
            text = rest + part
            cut = text.rfind(b"<", max(len(text) - LAP, 0)) if len(part) == AT_ONCE else -1
            text, rest = (text[:cut], text[cut:]) if cut > 0 else (text, b"")
            found.update(kind.decode() for kind in RECORD.findall(text))
    held = ", ".join(f"{count:,} of {kind}" for kind, count in found.most_common(LISTED))
    raise UnreadableData(
        f"{members[0].name}: is Apple Health's export; expected a sensor's samples, found "
        f"{f'records ({held})' if held else 'no records'}. It holds what phone and watch made of their sensors (steps, "
        "pulse, workouts), and no acceleration, from which activities are recognised. Record with an app that exports "
        "acceleration (Sensor Logger on iPhone and Apple Watch: Export, ZIP) and upload that file."
    )
