"""Bad site files: the message names the file, the key and the mend, and nothing was opened."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grandpause.errors import SiteFileError
from grandpause.sim.folder import SiteFolder
from grandpause.site.clock import SystemClock
from grandpause.site.sitefile import load_site_file
from grandpause.site.wiring import open_devices

pytestmark = pytest.mark.usefixtures("untouched_world")

PASSWORD = 'password = { file = "secrets/bmc-password" }'

CASES = {
    "an id with blanks": ('id = "sim-hall-1"', 'id = "Sim Hall"', "site: id", "must be 1 to 64 of"),
    "no operator": ('operator = "operator"\ncontroller', "controller", "site: operator", "missing key"),
    "a charter id that is too short": (
        r'files = ["charter.json"]', 'files = "charter.json"', "charters 1: files", "must be",
    ),
    "a secret in the site file itself": (
        PASSWORD, 'password = "hunter2"', "credentials.bmc: password", "must be a table",
    ),
    "a secret that the environment lacks": (
        PASSWORD, 'password = { env = "NO_SUCH_SECRET" }', "password: env", "has no NO_SUCH_SECRET",
    ),
    "a secret that systemd did not bring": (
        PASSWORD, 'password = { systemd = "bmc" }', "password: systemd", "no CREDENTIALS_DIRECTORY",
    ),
    "a secret whose file is missing": (
        PASSWORD, 'password = { file = "secrets/none" }', "password: file", "secrets/none cannot be read",
    ),
    "a secret from nowhere": (PASSWORD, "password = {}", "credentials.bmc: password: env", "missing key"),
    "an unknown kind of credential": (
        'kind = "redfish"', 'kind = "ipmi"', "credentials.bmc: kind", "must be one of redfish",
    ),
    "two nodes on one outlet": (
        'outlet = "{i2}"', 'outlet = "1"', "nodes: r01n02", "outlet 1 of row01a belongs to r01n01 already",
    ),
    "an outlet that the unit does not have": (
        "\noutlets = 16\n", "\noutlets = 3\n", "nodes: r01n04", "outlet 4: row01a has outlets 1 to 3",
    ),
    "a feed of another hall": (
        'feeds = ["feed-a", "feed-b"]', 'feeds = ["feed-a"]', "nodes: r01n01", "does not belong to hall",
    ),
    "cooling in the plan": (
        'id = "crah-1"', 'id = "r01n03"', "nodes: r01n03", "is on the deny list as cooling",
    ),
    "a node on a protected outlet": (
        "watts = 150000", 'watts = 1\noutlets = [{ unit = "row01b", outlet = 2 }]',
        "nodes: r01n02", "belongs to the protected load crah-1 already",
    ),
    "an unknown credential": (
        'credential = "bmc"', 'credential = "bcm"', "nodes: r01n01", "unknown credential 'bcm'",
    ),
    "an unknown machine type": ('type = "h100x8"', 'type = "h200"', "nodes 1: type", "unknown type 'h200'"),
    "an unknown hall": ('hall = "hall-1"', 'hall = "hall-2"', "nodes: r01n01", "unknown hall 'hall-2'"),
    "an unknown power unit": (
        'unit = "row{n1}a"', 'unit = "rack{n1}a"', "nodes: r01n01", "unknown power unit 'rack01a'",
    ),
    "a node set that is none": ('ids = "r01n[01-04]"', 'ids = "r01n[01-"', "nodes 1: ids", "not a node set"),
    "an empty node set": ('ids = "r01n[01-04]"', 'ids = ""', "nodes 1: ids", "0 names"),
    "a node name in capitals": ('ids = "r01n[01-04]"', 'ids = "R1"', "nodes 1: ids", "'R1' must be"),
    "an unknown field in a pattern": ('outlet = "{i2}"', 'outlet = "{row}"', "outlet", "unknown field {row}"),
    "a field that the name lacks": ('outlet = "{i2}"', 'outlet = "{i3}"', "outlet", "has 2 groups of digits"),
    "an outlet that is no number": ('outlet = "{i2}"', 'outlet = "{node}"', "outlet", "is no outlet number"),
    "a first address that is none": (
        'host_first = "127.10.0.1"', 'host_first = "bmc1"', "bmc: host_first", "not an IPv4 address",
    ),
    "pins without tls = pin": ('tls = "pin"', 'tls = "verify"', "bmc: pins", "needs at least one pin"),
    "a way to switch certificates off": ('tls = "pin"', 'tls = "insecure"', "bmc: tls", "must be one of"),
    "an unknown driver": ('driver = "redfish"', 'driver = "ipmi"', "bmc: driver", "must be one of redfish"),
    "a port out of range": ("\nport = 1\n", "\nport = 70000\n", "bmc: port", "must be from 1 to 65535"),
    "watts that are true": ("off_w = ", "off_w = true #", "types.h100x8: off_w", "must be an integer"),
    "watts that are no integer": ("off_w = ", "off_w = 1.5 #", "types.h100x8: off_w", "must be an integer"),
    "watts below zero": ("off_w = ", "off_w = -", "types.h100x8: off_w", "must be from 0"),
    "a machine that idles above its rating": (
        "idle_w = ", "idle_w = 99999 #", "elements.r01n01", "needs off_w < idle_w <= rated_w",
    ),
    "a deadline of no time": ("soft_off_s = 1.5", "soft_off_s = 0", "timing: soft_off_s", "positive number"),
    "a deadline that is no number": (
        "soft_off_s = 1.5", "soft_off_s = nan", "timing: soft_off_s", "positive number",
    ),
    "a deadline that never comes": (
        "soft_off_s = 1.5", "soft_off_s = inf", "timing: soft_off_s", "positive number",
    ),
    "a window of days": ("window_s = 4", "window_s = 90000", "periods: window_s", "must be from 1 to 3600"),
    "a meter over unknown nodes": (
        'covers = "r01n[01-04]"', 'covers = "r09n01"', "meters.feed-a.total", "unknown element r09n01",
    ),
    "a unit that is a meter of nobody's": (
        'owner = "operator"\nresolution_w = 1', "resolution_w = 1", "units 1: owner", "a meter has an owner",
    ),
    "a table that nobody knows": ("[site]", "[sites]\n[site]", "sites", "unknown key"),
    "no site at all": ("[site]", "[halls2]", "site", "missing key"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_bad_site_file_is_refused_with_file_and_key(case: str, folder: SiteFolder) -> None:
    old, new, where, message = CASES[case]
    text = folder.site_file.read_text()
    assert old in text
    folder.site_file.write_text(text.replace(old, new, 1))
    with pytest.raises(SiteFileError) as refusal:
        load_site_file(folder.site_file)
    assert refusal.value.where.startswith(str(folder.site_file))
    assert where in refusal.value.where
    assert message in refusal.value.message
    assert "hunter2" not in str(refusal.value)


def test_every_key_with_a_typo_is_refused_by_its_name(folder: SiteFolder) -> None:
    lines = folder.site_file.read_text().splitlines()
    tried = 0
    for number, line in enumerate(lines):
        key = re.match(r"([a-z_]+) = ", line)
        if key is None:
            continue
        tried += 1
        changed = [*lines]
        changed[number] = line.replace(key.group(1), f"{key.group(1)}x", 1)
        folder.site_file.write_text("\n".join(changed))
        with pytest.raises(SiteFileError) as refusal:
            load_site_file(folder.site_file)
        assert str(folder.site_file) in refusal.value.where
        # Without host_first a host is wanted: that is the key that is missing.
        assert key.group(1).removesuffix("_first") in str(refusal.value), line
    assert tried > 60


def test_the_same_file_without_a_typo_is_taken(folder: SiteFolder) -> None:
    site = load_site_file(folder.site_file)
    assert [each.id for each in site.table.elements] == ["r01n01", "r01n02", "r01n03", "r01n04"]
    assert "a secret" not in repr(site)


def test_a_node_without_outlets_and_feeds_is_on_no_feed(folder: SiteFolder) -> None:
    text = folder.site_file.read_text()
    begin, end = text.index("[[nodes.outlets]]"), text.index("[[units]]")
    folder.site_file.write_text(text[:begin] + text[end:])
    with pytest.raises(SiteFileError, match="nodes: r01n01: is on no feed"):
        load_site_file(folder.site_file)


def test_a_node_that_is_named_twice_is_refused(folder: SiteFolder) -> None:
    text = folder.site_file.read_text()
    begin, end = text.index("[[nodes]]"), text.index("[[units]]")
    folder.site_file.write_text(text[:end] + text[begin:end] + text[end:])
    with pytest.raises(SiteFileError, match="nodes: r01n01: is named twice"):
        load_site_file(folder.site_file)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_secret_that_others_can_read_is_refused(mode: int, folder: SiteFolder) -> None:
    (folder.path / "secrets" / "bmc-password").chmod(mode)
    with pytest.raises(SiteFileError, match=r"password: file: .* can be read by others .*chmod 600"):
        load_site_file(folder.site_file)


def test_an_empty_secret_is_refused(folder: SiteFolder) -> None:
    (folder.path / "secrets" / "bmc-password").write_text("\n")
    with pytest.raises(SiteFileError, match="is empty"):
        load_site_file(folder.site_file)


def test_a_plan_needs_no_secrets(folder: SiteFolder) -> None:
    (folder.path / "secrets" / "bmc-password").unlink()
    assert load_site_file(folder.site_file, secrets=False).bmcs


def test_a_secret_is_found_in_the_environment_and_with_systemd(
    folder: SiteFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = folder.site_file.read_text()
    (tmp_path / "bmc").write_text("from systemd\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("BMC_PASSWORD", "from the environment")
    for source, value in (
        ('env = "BMC_PASSWORD"', "from the environment"),
        ('systemd = "bmc"', "from systemd"),
    ):
        folder.site_file.write_text(text.replace(PASSWORD, f"password = {{ {source} }}"))
        secret = load_site_file(folder.site_file).credentials["bmc"].secret
        assert secret is not None
        assert secret.value == value


async def test_a_credential_of_the_wrong_kind_is_refused_before_any_connection(folder: SiteFolder) -> None:
    text = folder.site_file.read_text()
    folder.site_file.write_text(text.replace('credential = "bmc"', 'credential = "pdu"'))
    with pytest.raises(SiteFileError, match=r"r01n01: the credential 'pdu' is of kind snmp-v2c"):
        await open_devices(load_site_file(folder.site_file), SystemClock())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'[site]\nid = "\xff"\n', "not UTF-8 at byte 13"),
        (b"[site\n", "not TOML"),
        (b"a = 1\na = 2\n", "not TOML"),
        (b"#" * (16 * 2**20 + 1), "more than 16777216 bytes"),
    ],
)  # fmt: skip
def test_bytes_that_are_no_site_file_are_refused(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(data)
    with pytest.raises(SiteFileError) as refusal:
        load_site_file(path)
    assert refusal.value.where == str(path)
    assert message in refusal.value.message


def test_a_site_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SiteFileError, match=r"none\.toml: cannot be read: No such file"):
        load_site_file(tmp_path / "none.toml")
    with pytest.raises(SiteFileError, match="cannot be read: Is a directory"):
        load_site_file(tmp_path)


def test_addresses_are_counted_along_the_numbers_however_the_set_is_written(folder: SiteFolder) -> None:
    text = folder.site_file.read_text()
    folder.site_file.write_text(text.replace('ids = "r01n[01-04]"', 'ids = "r01n04,r01n02,r01n[01,03]"', 1))
    site = load_site_file(folder.site_file)
    assert [site.bmcs[f"r01n0{number}"].host for number in (1, 2, 3, 4)] == [
        "127.10.0.1", "127.10.0.2", "127.10.0.3", "127.10.0.4",
    ]  # fmt: skip
