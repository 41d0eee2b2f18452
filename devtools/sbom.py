"""Write a software bill of materials (CycloneDX 1.6, JSON): ``python -m devtools.sbom [FILE]``.

It names what ``requirements.txt`` pins, with the hashes of the files that may be installed, who needs whom, and the
licences that the installed packages state; and what lies in the repository itself.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

ROOT = Path(__file__).resolve().parent.parent
LOCKED = ROOT / "requirements.txt"
VENDORED = ("onnxruntime-web", "1.30.0", "MIT")  # lies in app/static/here/onnxruntime/, where the README has its hashes
TARGET = ROOT / "build" / "sbom.cdx.json"


@dataclass
class Pin:
    """A library as it is locked."""

    name: str
    version: str
    hashes: list[str] = field(default_factory=list)  # SHA-256 of its files
    via: list[str] = field(default_factory=list)  # who needs it; "-r requirements.in": this program


def pins(text: str) -> list[Pin]:
    """Return what a file of uv pins."""
    found: list[Pin] = []
    for line in text.splitlines():
        if begin := re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", line):
            found.append(Pin(begin[1], begin[2]))
        elif hashed := re.search(r"--hash=sha256:(\w{64})", line):
            found[-1].hashes.append(hashed[1])
        elif found and (via := re.match(r"    #   (?:via )?(\S.*)$|    # via (\S.*)$", line)):
            found[-1].via.append(via[1] or via[2])
    return found


def licence_of(name: str) -> str:
    """Return what an installed package says of its licence, in a line; nothing where it is not installed."""
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return ""
    names = [text.rpartition(" :: ")[2] for text in about.get_all("Classifier") or [] if text.startswith("License ::")]
    stated = about.get("License-Expression") or " AND ".join(names) or about.get("License") or ""
    return str(stated).partition("\n")[0].strip()[:200]


def bill(text: str) -> Bom:
    """Return the bill of a file of pins."""
    licences = LicenseFactory()
    bom = Bom()
    root = Component(name="kinelab", type=ComponentType.APPLICATION, bom_ref="kinelab")
    bom.metadata.component = root
    found = pins(text)
    components: dict[str, list[Component]] = {}  # one has several versions, where Pythons need different ones
    for pin in found:
        url = PackageURL("pypi", None, pin.name, pin.version)
        licence = licence_of(pin.name)
        component = Component(
            name=pin.name,
            version=pin.version,
            type=ComponentType.LIBRARY,
            purl=url,
            bom_ref=str(url),
            licenses=[licences.make_from_string(licence)] if licence else [],
            external_references=[
                ExternalReference(
                    type=ExternalReferenceType.DISTRIBUTION,
                    url=XsUri(f"https://pypi.org/project/{pin.name}/{pin.version}/#files"),
                    hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each) for each in pin.hashes],
                )
            ],
        )
        bom.components.add(component)
        components.setdefault(pin.name, []).append(component)
    for pin in found:
        for needer in pin.via:
            for component in components.get(needer, [root]):
                bom.register_dependency(component, components[pin.name])
    bom.register_dependency(root, [_vendored(bom, licences)])
    return bom


def _vendored(bom: Bom, licences: LicenseFactory) -> Component:
    """Add the library of npm that is part of this repository."""
    name, version, licence = VENDORED
    url = PackageURL("npm", None, name, version)
    about = (ROOT / "app/static/here/onnxruntime/README.md").read_text(encoding="utf-8")
    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=each) for each in re.findall(r"`(\w{64})`", about)]
    where = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(f"https://www.npmjs.com/package/{name}/v/{version}"),
        hashes=hashes,
    )
    component = Component(
        name=name, version=version, type=ComponentType.LIBRARY, purl=url, bom_ref=str(url),
        licenses=[licences.make_from_string(licence)], external_references=[where],
    )  # fmt: skip
    bom.components.add(component)
    return component


def document(text: str) -> str:
    """Return the bill as JSON."""
    return JsonV1Dot6(bill(text)).output_as_string(indent=1)


def main() -> None:
    """Write the bill."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    target.parent.mkdir(exist_ok=True)
    target.write_text(document(LOCKED.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"wrote {target}\n")


if __name__ == "__main__":
    main()
