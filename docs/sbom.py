"""What ships, as a CycloneDX bill of materials: ``python -m docs.sbom`` writes ``build/sbom.cdx.json``.

Here: components from the pins, with licences and the sha256 of every file that may be installed. The same pins give the
same bytes: there is no time in it, and its serial number follows from the content. Not here: licences
(``docs.licences``), Debian's packages in the image (``deploy/Dockerfile``).
"""

import sys
import tomllib
import uuid
from pathlib import Path

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from docs.licences import licence_of
from docs.pins import ROOT, Pin, shipped

FILE = ROOT / "build" / "sbom.cdx.json"


def bill_of_materials() -> str:
    """The bill of materials as CycloneDX 1.6 in JSON."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    root = _component(project["name"], project["version"], "MIT", ComponentType.APPLICATION)
    pins = [(pin, _pinned(pin)) for pin in shipped()]
    direct = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    bom = Bom(components=[component for _, component in pins])
    bom.metadata.component = root
    bom.metadata.timestamp = None  # type: ignore[assignment]  # it would make each run another file
    bom.register_dependency(root, [component for pin, component in pins if canonicalize_name(pin.name) in direct])
    content = "\n".join([root.bom_ref.value or "", *(f"{pin} {licence_of(pin.name)}" for pin, _ in pins)])
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, content)
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def _component(name: str, version: str, licence: str, kind: ComponentType = ComponentType.LIBRARY) -> Component:
    purl = PackageURL("pypi", name=name, version=version)
    return Component(
        type=kind,
        name=name,
        version=version,
        purl=purl,
        bom_ref=purl.to_string(),
        licenses=[LicenseExpression(licence)],
    )


def _pinned(pin: Pin) -> Component:
    component = _component(pin.name, pin.version, licence_of(pin.name))
    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=each) for each in pin.sha256]
    component.external_references.add(
        # An index is no fact of the package, so its own name stands for where its files are.
        ExternalReference(
            type=ExternalReferenceType.DISTRIBUTION, url=XsUri(component.bom_ref.value or ""), hashes=hashes
        )
    )
    if pin.marker:
        component.properties.add(Property(name="cinematch:installed-where", value=pin.marker))
    return component


def main() -> None:
    """Write the file and say where."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(bill_of_materials(), encoding="utf-8")
    sys.stdout.write(f"{Path(FILE).relative_to(ROOT)}: CycloneDX 1.6, {len(shipped())} packages\n")


if __name__ == "__main__":
    main()
