"""Every walk of the captures: identified with the right watts, or refused as unknown; never sent a SET."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from devices.snmp.conftest import FixedClock
from devices.snmp.wire import GET, SnmpSim, tapped
from grandpause.core.model import Act, Power, Reply
from grandpause.drivers.snmp import Identities, Outlet, SnmpClient, SnmpMeter, SnmpOutlets, shipped_profiles
from grandpause.drivers.snmp.identity import MEND_UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a walk holds, worked out by hand from the walk itself.

    ``total_w`` and ``outlets_w`` are None where the walk holds no real power; the comment says why.
    """

    switched_by: str | None = None
    metered_by: str | None = None
    total_w: int | None = None
    outlets_w: tuple[tuple[str, int], ...] = ()


UNKNOWN = Expected()

WALKS = {
    # 32.2.4.1.4 = 258 (apparent 301, power factor 85 %); outlets 32.5.9.1.6 add up to 255
    "apc-cpdu": Expected(
        metered_by="apc-cpdu", total_w=258, outlets_w=(("2", 57), ("5", 53), ("1", 0), ("1.2", 57))
    ),
    # sysObjectID 1.3.6.1.4.1.0 says nothing, and its power is a text ("0.061kW")
    "apc-epdu_epdu1132m": UNKNOWN,
    # 26.4.3.1.5 = -1; 12.1.16 = 312 is 2.6 A x 120 V nominal, no measurement
    "apc_ap7900b": Expected(switched_by="apc-spdu", metered_by="apc-rpdu2"),
    # 26.4.3.1.5 = 114 hundredths of a kilowatt; metered only
    "apc_ap8853": Expected(metered_by="apc-rpdu2", total_w=1140),
    # 26.4.3.1.5 = 27; 12.1.16 = 270
    "apc_ap8959eu3": Expected(switched_by="apc-spdu", metered_by="apc-rpdu2", total_w=270),
    # 26.4.3.1.5 = 117; phase 26.6.3.1.7 = 116
    "apc_apdu9959eu3": Expected(switched_by="apc-spdu", metered_by="apc-rpdu2", total_w=1170),
    # no metering at all
    "apc_masterswitch2": Expected(switched_by="apc-spdu"),
    # 99.1.4.2 = 118332 mW (0.59 A x 238.44 V x 0.80)
    "atenpdu": Expected(metered_by="aten-pe", outlets_w=(("1", 0), ("2", 118))),
    # 3.2.3.1.1.7.1 = 216, repeated as row 2; outlets add up to 220
    "cyberpower_pdu81005": Expected(
        metered_by="cyberpower-pdu81", total_w=216, outlets_w=(("5", 82), ("6", 37))
    ),
    # 110.2.1.3.1 = 379; phase 381
    "dell-rpdu": Expected(metered_by="dell-rpdu", total_w=379),
    # 3.5.1.4.0.1 = 1584 W, 3.5.1.3.0.1 = 1673 VA; outlets 6.5.1.3.0 add up to 1568
    "eatonpdu_2": Expected(
        switched_by="eaton-epdu", metered_by="eaton-epdu", total_w=1584, outlets_w=(("1", 80), ("0.2", 142))
    ),
    # 534.6.6.6: another family, no profile
    "eatonpdu_dbq": UNKNOWN,
    # 5.1.2.1.4.1 = 18 (0.186 A x 230 V x 0.424)
    "gude-epc_8031": Expected(metered_by="gude-epc8031", total_w=18),
    # its sysObjectID is a text
    "hpe-mapdu_pdu3": UNKNOWN,
    # sysObjectID of any net-snmp on Linux
    "iboot_pdu8-2n15": UNKNOWN,
    # switched, measures amperes only: 26.4.3.1.5 = -1
    "lextudio_apc-7902b": Expected(switched_by="apc-rpdu2", metered_by="apc-rpdu2"),
    # 26.4.3.1.5 = 121; outlets 26.9.4.3.1.7 add up to 1117
    "lextudio_apc-8641": Expected(
        switched_by="apc-rpdu2", metered_by="apc-rpdu2", total_w=1210, outlets_w=(("1", 163), ("2", 4))
    ),
    # 26.4.3.1.5 = 16; not metered by outlet
    "lextudio_apc-8932": Expected(switched_by="apc-rpdu2", metered_by="apc-rpdu2", total_w=160),
    # 30.20.1.65.1 = 514 W, 551 VA
    "liebert_mph2rg": Expected(metered_by="liebert-mph2", total_w=514),
    # 2.1.1.5.1 = 956 W, 1022 VA; groups add up to 955
    "panduit": Expected(metered_by="panduit-pdu", total_w=956),
    # the walk holds outlet settings only
    "panduit_g5-p32g13m": Expected(metered_by="panduit-pdu"),
    # Tripp Lite: no profile
    "poweralert_pdu": UNKNOWN,
    # 20.2.1.9.1 = 580 W, 692 VA (3.1.5 = 360 is 36.0 degrees)
    "raritan-pdu": Expected(metered_by="raritan-px1", total_w=580),
    # 5.2.3.1.4.1.1.5 with 0 digits
    "raritan-pdu_px2": Expected(
        metered_by="raritan-px2", total_w=138, outlets_w=(("1", 0), ("3", 68), ("1.3", 68))
    ),
    "raritan-pdu_px2-temp": Expected(metered_by="raritan-px2", total_w=673),
    "raritan-pdu_px3": Expected(
        metered_by="raritan-px2", total_w=1665, outlets_w=(("1", 143), ("2", 207), ("3", 169))
    ),
    "raritan-pdu_px4": Expected(metered_by="raritan-px2", total_w=590, outlets_w=(("1", 11), ("2", 0))),
    # amperes and volts only, no infeedPower
    "sentry3": Expected(metered_by="sentry3"),
    "sentry3_switched": Expected(metered_by="sentry3"),
    # cords 1701 + 1265
    "sentry4": Expected(metered_by="sentry4", total_w=2966),
    # cords 806 + 856
    "sentry4_switched8i": Expected(metered_by="sentry4", total_w=1662),
    # 42610: no profile
    "ts-bspdu": UNKNOWN,
    # 5.2.3.1.1.9.1 = 1017; phases 198 + 436 + 382
    "vertiv-pdu_mg02e4w1": Expected(metered_by="vertiv-geist", total_w=1017),
    # no total; phases 1464 + 1477 + 1458
    "vertiv-pdu_mn03edr1": Expected(metered_by="vertiv-geist", total_w=4399),
    # no UPS-MIB in these two walks
    "apc_smt750x-nmc2": UNKNOWN,
    "apc_symmetralx": UNKNOWN,
    # upsOutputPower 400 + 1100 + 1600
    "eaton-mgeups_93ps": Expected(metered_by="eaton-mge-ups", total_w=3100),
    # upsOutputPower.1 = 20
    "eatonupsm2_9px": Expected(metered_by="ups-rfc1628", total_w=20),
    # UPS-MIB with volts and amperes, but no upsOutputPower; sysObjectID of a Liebert power unit too
    "liebert_apm": Expected(metered_by="ups-rfc1628"),
    # BMCs; Supermicro's shows ATEN's sysObjectID
    "drac_r640": UNKNOWN,
    "hpe-ilo_5_with_bat_checks": UNKNOWN,
    "supermicro-bmc_x11": UNKNOWN,
    "xclarity_lenovoxcc": UNKNOWN,
}
SWITCHED = {name for name, expected in WALKS.items() if expected.switched_by is not None}


def test_the_table_names_every_walk(captures: SnmpSim) -> None:
    assert set(captures.walks) == set(WALKS)


@pytest.mark.parametrize("walk", WALKS)
async def test_a_walk_is_identified_or_refused_as_unknown(
    walk: str, captures: SnmpSim, identities: Identities
) -> None:
    expected = WALKS[walk]

    identity = await identities.of(captures.peer(walk), within_s=5)

    switched_by = identity.switched_by.name if identity.switched_by else None
    metered_by = identity.metered_by.name if identity.metered_by else None
    assert (switched_by, metered_by) == (expected.switched_by, expected.metered_by), identity.evidence
    assert identity.evidence


@pytest.mark.parametrize("walk", WALKS)
async def test_a_walk_gives_its_real_power_or_none(
    walk: str, captures: SnmpSim, client: SnmpClient, identities: Identities, clock: FixedClock
) -> None:
    expected = WALKS[walk]
    channels = ["total", *(channel for channel, _ in expected.outlets_w)]
    meter = SnmpMeter(
        client, identities, meter=walk, peer=captures.peer(walk), channels=channels, clock=clock
    )

    read = await meter.read(within_s=5)

    watts = {sample.channel: sample.watts for sample in read.samples}
    assert watts == {"total": expected.total_w, **dict(expected.outlets_w)}, read.samples
    assert all(sample.detail for sample in read.samples if sample.watts is None)
    again = await meter.read(within_s=5)
    assert {sample.channel: sample.watts for sample in again.samples} == watts


@pytest.mark.parametrize("walk", sorted(set(WALKS) - SWITCHED))
async def test_no_set_ever_reaches_a_device_whose_control_is_not_known(
    walk: str, captures: SnmpSim, client: SnmpClient, identities: Identities
) -> None:
    async with tapped(captures.address) as tap:
        outlets = SnmpOutlets(client, identities, {"n1": [Outlet(peer=tap.peer(walk), number=1)]})

        off = await outlets.command("n1", Act.OUTLET_OFF, within_s=5)
        on = await outlets.command("n1", Act.OUTLET_ON, within_s=5)
        claim = await outlets.claim("n1", within_s=5)
        findings = await outlets.check("n1", within_s=5)

    assert (off.reply, on.reply, claim.reply) == (Reply.REFUSED, Reply.REFUSED, Reply.REFUSED)
    assert "control is not known" in off.detail
    assert claim.power is Power.UNKNOWN
    assert [finding.mend for finding in findings if finding.level == "fail"] == [MEND_UNKNOWN]
    assert tap.asked
    assert {asked.act for asked in tap.asked} == {GET}


def test_every_profile_was_tried_on_a_walk_or_is_experimental() -> None:
    tried = {name for each in WALKS.values() for name in (each.switched_by, each.metered_by)}
    for profile in shipped_profiles():
        metered = profile.metering is not None
        # The walks with the older APC group have the newer one too; it is tried in test_outlets.
        assert profile.name in tried | {"apc-rpdu"}, profile.name
        assert metered or profile.control is not None
