"""What ships is named, with licences that may be there and the hashes of the pins."""

import json
import re
from email.message import Message

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from docs import licences
from docs.licences import UnknownLicenceError, is_allowed, licence_of
from docs.pins import ROOT, read_pins, shipped
from docs.sbom import bill_of_materials

pytestmark = pytest.mark.faults("supply-chain")


def test_each_pin_is_read() -> None:
    pins = read_pins("runtime")
    text = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    assert len(pins) == len(re.findall(r"^[a-z0-9].*==", text, flags=re.MULTILINE))
    assert sum(len(pin.sha256) for pin in pins) == text.count("--hash=sha256:")


@pytest.mark.parametrize("name", sorted({pin.name for pin in shipped()}))
def test_what_ships_has_a_licence_that_may_be_there(name: str) -> None:
    assert is_allowed(name, licence_of(name)), licence_of(name)


@pytest.mark.parametrize(
    ("name", "expression", "allowed"),
    [
        ("a", "GPL-3.0-only", False),
        ("a", "AGPL-3.0-or-later", False),
        ("a", "LGPL-3.0-only", False),
        ("psycopg", "LGPL-3.0-only", True),
        ("a", "MIT AND GPL-2.0-only", False),
        ("a", "MIT OR GPL-2.0-only", True),
        ("a", "(MIT OR GPL-2.0-only) AND BSD-3-Clause", True),
        ("a", "Apache-2.0 WITH LLVM-exception", True),
        ("a", "GPL-2.0-only WITH Classpath-exception-2.0", False),
    ],
)
def test_a_licence_that_binds_the_platform_is_noticed(name: str, expression: str, allowed: bool) -> None:
    assert is_allowed(name, expression) is allowed


@pytest.mark.parametrize(
    ("lines", "licence"),
    [
        ({"License-Expression": "MIT"}, "MIT"),
        ({"License": "BSD"}, None),
        ({"License": "Free for all", "Classifier": "License :: Other/Proprietary License"}, None),
        ({"Classifier": "License :: OSI Approved :: Apache Software License"}, "Apache-2.0"),
        ({}, None),
    ],
)
def test_metadata_that_name_no_licence_are_noticed(
    monkeypatch: pytest.MonkeyPatch, lines: dict[str, str], licence: str | None
) -> None:
    declared = Message()
    for name, value in lines.items():
        declared[name] = value
    monkeypatch.setattr(licences, "metadata", lambda _: declared)
    if licence is None:
        with pytest.raises(UnknownLicenceError, match="some-package"):
            licence_of("some-package")
    else:
        assert licence_of("some-package") == licence


@pytest.fixture(scope="module")
def made() -> str:
    return bill_of_materials()


def test_the_bill_of_materials_is_valid_and_the_same_each_time(made: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(made) is None
    assert made == bill_of_materials()


def test_the_bill_of_materials_has_every_pin_with_its_hashes(made: str) -> None:
    bom = json.loads(made)
    found = {
        (part["name"], part["version"]): {each["content"] for each in part["externalReferences"][0]["hashes"]}
        for part in bom["components"]
    }
    assert found == {(pin.name, pin.version): set(pin.sha256) for pin in shipped()}
    assert all(part["licenses"][0]["expression"] for part in bom["components"])
    (direct,) = (
        each["dependsOn"] for each in bom["dependencies"] if each["ref"].startswith("pkg:pypi/cinematch-assets@")
    )
    assert any(ref.startswith("pkg:pypi/dagster@") for ref in direct)
