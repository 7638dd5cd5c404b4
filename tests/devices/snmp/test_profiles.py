"""Profiles are data: read strictly, and a mistake is named by file and field."""

from __future__ import annotations

from pathlib import Path

import pytest
from pysnmp.proto import rfc1902

from devices.snmp.wire import Shelf, agent_with, integer, spdu_shelf
from grandpause.core.model import Act, Reply
from grandpause.drivers.snmp import (
    Community,
    Identities,
    Outlet,
    Peer,
    SnmpClient,
    SnmpOutlets,
    load_profiles,
    shipped_profiles,
)
from grandpause.drivers.snmp.loading import parse_profile
from grandpause.drivers.snmp.profile import Maturity
from grandpause.errors import FormError

GOOD = """
name = "acme-pdu"
brand = "Acme"
mib = "ACME-MIB"
rank = 10
seen_on = ["a bench"]

[identify]
object_id = ["1.3.6.1.4.1.99999"]

[control]
maturity = "beta"
type = "INTEGER"
index = "{unit}.{outlet}"
first_unit = 1
off = { column = "1.3.6.1.4.1.99999.1", value = 0 }
on = { column = "1.3.6.1.4.1.99999.1", value = 1 }
state = { column = "1.3.6.1.4.1.99999.2", off = [0], on = [1] }

[metering]
maturity = "beta"

[[metering.total]]
column = "1.3.6.1.4.1.99999.3"
rows = [["1"]]
watts_a_count = "0.1"
maximum_w = 1000
"""

MISTAKES = {
    "an unknown key at the top": ('brand = "Acme"', 'brand = "Acme"\ncolour = "red"', "colour"),
    "an unknown key in control": ('type = "INTEGER"', 'type = "INTEGER"\nall_off = 1', "control.all_off"),
    "an unknown key in a column": ("value = 0 }", "value = 0, delay = 3 }", "control.off.delay"),
    "an unknown key in a total": ("maximum_w = 1000", "maximum_w = 1000\nunit = 1", "metering.total[1].unit"),
    "a missing name": ('name = "acme-pdu"', "", "name"),
    "a name with a space": ('name = "acme-pdu"', 'name = "acme pdu"', "name"),
    "a rank that is a text": ("rank = 10", 'rank = "10"', "rank"),
    "a rank that is a truth value": ("rank = 10", "rank = true", "rank"),
    "no prefix": ('["1.3.6.1.4.1.99999"]', "[]", "identify.object_id"),
    "a prefix with a name": ('["1.3.6.1.4.1.99999"]', '["enterprises.99999"]', "identify.object_id"),
    "a maturity that is none": ('maturity = "beta"\ntype', 'maturity = "good"\ntype', "control.maturity"),
    "a type that cannot be written": ('"INTEGER"', '"OCTET STRING"', "control.type"),
    "an index without the outlet": ('"{unit}.{outlet}"', '"{unit}"', "control.index"),
    "an index with another name": ('"{unit}.{outlet}"', '"{unit}.{outlet}.{x}"', "control.index"),
    "a unit that is not said": ("first_unit = 1\n", "", "control.first_unit"),
    "a column with a dot in front": (
        '"1.3.6.1.4.1.99999.2"',
        '".1.3.6.1.4.1.99999.2"',
        "control.state.column",
    ),
    "off the same as on": ("value = 1 }", "value = 0 }", "control.on"),
    "off and on states shared": ("on = [1] }", "on = [0, 1] }", "control.state.on"),
    "a value that is a float": ("value = 0 }", "value = 0.5 }", "control.off.value"),
    "a scale that is a float": ('"0.1"', "0.1", "metering.total[1].watts_a_count"),
    "a scale of nothing": ('"0.1"', '"0"', "metering.total[1].watts_a_count"),
    "a scale that is no number": ('"0.1"', '"1e3"', "metering.total[1].watts_a_count"),
    "a row that is no row": ('[["1"]]', '[["one"]]', "metering.total[1].rows"),
    "rows that are no sets": ('[["1"]]', '["1"]', "metering.total[1].rows"),
    "an empty set of rows": ('[["1"]]', "[[]]", "metering.total[1].rows"),
    "no bound": ("maximum_w = 1000", "", "metering.total[1].maximum_w"),
    "a bound of nothing": ("maximum_w = 1000", "maximum_w = 0", "metering.total[1].maximum_w"),
    "beta, but seen on nothing": ('seen_on = ["a bench"]', "seen_on = []", "seen_on"),
    "two keys of one name": ("rank = 10", "rank = 10\nrank = 11", ""),
    "no TOML": ("rank = 10", "rank: 10", ""),
}


def test_the_example_is_read() -> None:
    profile = parse_profile(GOOD.encode(), file="acme.toml")
    assert (profile.name, profile.rank) == ("acme-pdu", 10)
    assert profile.fits("1.3.6.1.4.1.99999.5")
    assert profile.fits("1.3.6.1.4.1.99999")
    assert not profile.fits("1.3.6.1.4.1.999991")


def test_the_example_of_the_manual_is_read_and_its_mistake_is_refused_as_printed() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "operate" / "write-a-pdu-profile.md").read_text("utf-8")
    example = manual.split("```toml\n")[1].split("```")[0]
    assert parse_profile(example.encode(), file="acme-pdu.toml").name == "acme-pdu"
    with pytest.raises(FormError) as refused:
        parse_profile(example.replace("on = [2] }", "on = [1, 2] }").encode(), file="acme-pdu.toml")
    assert f"`{refused.value}`" in manual


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_naming_file_and_field(mistake: str) -> None:
    right, wrong, field = MISTAKES[mistake]
    assert GOOD.count(right) == 1
    with pytest.raises(FormError) as refused:
        parse_profile(GOOD.replace(right, wrong).encode(), file="acme.toml")
    assert refused.value.where == (f"acme.toml: {field}" if field else "acme.toml")
    assert refused.value.exit_code == 2


def test_a_file_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(FormError, match=r"acme\.toml: is no TOML"):
        parse_profile(GOOD.replace("Acme", "Acm\xe9").encode("latin-1"), file="acme.toml")


def test_a_profile_that_does_nothing_is_refused() -> None:
    with pytest.raises(FormError, match=r"acme\.toml: control: is missing"):
        parse_profile(GOOD.split("[control]", maxsplit=1)[0].encode(), file="acme.toml")


def test_two_profiles_of_one_name_are_refused(tmp_path: Path) -> None:
    for file in ("one.toml", "two.toml"):
        (tmp_path / file).write_text(GOOD)
    with pytest.raises(FormError, match=r"two\.toml: name: a second profile named 'acme-pdu'"):
        load_profiles(tmp_path)


def test_the_shipped_profiles_switch_only_apc_and_eaton() -> None:
    switching = {profile.name for profile in shipped_profiles() if profile.control is not None}
    assert switching == {"apc-rpdu2", "apc-rpdu", "apc-spdu", "eaton-epdu"}


def test_no_shipped_profile_claims_to_be_stable_without_a_real_device() -> None:
    parts = [part for profile in shipped_profiles() for part in (profile.control, profile.metering) if part]
    assert parts
    assert not [part for part in parts if part.maturity is Maturity.STABLE]


async def test_a_device_that_two_profiles_fit_alike_is_not_switched(
    client: SnmpClient, tmp_path: Path
) -> None:
    (tmp_path / "one.toml").write_text(GOOD)
    (tmp_path / "two.toml").write_text(GOOD.replace("acme-pdu", "acme-twin"))
    shelf = _acme()
    async with agent_with(shelf) as (agent, address):
        peer = Peer(address=address, credential=Community(name="writes"))
        both = SnmpOutlets(
            client,
            Identities(client, load_profiles(tmp_path)),
            {"n1": [Outlet(peer=peer, number=1)]},
        )
        undecided = await both.command("n1", Act.OUTLET_OFF, within_s=2)
        assert agent.sets.total() == 0
        (tmp_path / "two.toml").unlink()
        one = SnmpOutlets(
            client,
            Identities(client, load_profiles(tmp_path)),
            {"n1": [Outlet(peer=peer, number=1)], "n2": [Outlet(peer=peer, number=1, unit=2)]},
        )
        decided = await one.command("n1", Act.OUTLET_OFF, within_s=2)
        chained = await one.command("n2", Act.OUTLET_OFF, within_s=2)

    assert undecided.reply is Reply.REFUSED
    assert decided.reply is Reply.ACCEPTED
    assert chained.reply is Reply.REFUSED
    assert dict(agent.sets) == {"1.3.6.1.4.1.99999.1.1.1": 1, "1.3.6.1.4.1.99999.1.2.1": 1}


async def test_a_unit_named_where_the_device_knows_none_is_refused_unsent(
    client: SnmpClient, identities: Identities
) -> None:
    async with agent_with(spdu_shelf()) as (agent, address):
        peer = Peer(address=address, credential=Community(name="writes"))
        outlets = SnmpOutlets(client, identities, {"n1": [Outlet(peer=peer, number=1, unit=2)]})
        answer = await outlets.command("n1", Act.OUTLET_OFF, within_s=2)

    assert answer.reply is Reply.REFUSED
    assert "knows no units" in answer.detail
    assert agent.sets.total() == 0


async def test_an_experimental_profile_is_a_warning_in_preflight(client: SnmpClient, tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(
        GOOD.replace('maturity = "beta"\ntype', 'maturity = "experimental"\ntype')
    )
    async with agent_with(_acme()) as (_, address):
        peer = Peer(address=address, credential=Community(name="writes"))
        identities = Identities(client, load_profiles(tmp_path))
        outlets = SnmpOutlets(client, identities, {"n1": [Outlet(peer=peer, number=1)]})
        findings = await outlets.check("n1", within_s=2)

    assert [finding.level for finding in findings] == ["ok", "warn", "ok"]
    assert "proof test" in findings[1].mend


def _acme() -> Shelf:
    return Shelf(
        {
            "1.3.6.1.2.1.1.1.0": rfc1902.OctetString("an Acme power unit"),
            "1.3.6.1.2.1.1.2.0": rfc1902.ObjectIdentifier((1, 3, 6, 1, 4, 1, 99999, 7)),
            "1.3.6.1.4.1.99999.1.1.1": integer(1),
            "1.3.6.1.4.1.99999.2.1.1": integer(1),
        }
    )
