"""DMTF's own validators against the simulated BMCs."""

from __future__ import annotations

import asyncio
import csv
import os
import re
import shutil
import sys
import tarfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from grandpause.sim.plant import Plant
    from grandpause.sim.redfish import BmcFarm

NODE = "r01n01"

ACCOUNT_MANAGEMENT = {
    "PROTO_ETAG_412_WRITE_NOT_APPLIED",
    "PROTO_ETAG_CONDITIONAL_GET",
    "PROTO_ETAG_HEADER_AND_PROPERTY",
    "PROTO_ETAG_IF_MATCH_ENFORCED",
    "PROTO_ETAG_LOST_UPDATE",
    "PROTO_ETAG_ROTATES_ON_WRITE",
    "PROTO_ETAG_STABLE_WITHOUT_MODIFICATION",
    "REQ_HEADERS_IF_MATCH",
    "REQ_PATCH_BAD_PROP",
    "REQ_PATCH_MIXED_PROPS",
    "REQ_PATCH_ODATA_PROPS",
    "RESP_HEADERS_ETAG",
    "SEC_ACCOUNTS_SUPPORT_ETAGS",
    "SEC_HEADERS_FIRST",
    "SEC_PRIV_OPERATION_TO_PRIV_MAPPING",
    "SEC_PWD_CHANGE_REQ_ALLOW_GET_ACCOUNT",
    "SEC_PWD_CHANGE_REQ_ALLOW_PATCH_PASSWORD",
    "SEC_PWD_CHANGE_REQ_ALLOW_SESSION_LOGIN",
    "SEC_PWD_CHANGE_REQ_DISALLOW_ALL_OTHERS",
}
"""Accounts cannot be created or changed, so nothing that needs a changed account is tested."""

EVENTS = {
    "SEC_SESSION_TERMINATION_SIDE_EFFECTS",
    "SERV_EVENT_ERROR_ON_BAD_REQUEST",
    "SERV_EVENT_POST_RESP",
    "SERV_SSE_BLANK_LINES_BETWEEN_EVENTS",
    "SERV_SSE_CLOSE_CONNECTION_IF_EVENT_DEST_DELETED",
    "SERV_SSE_CONNECTION_OPEN_UNTIL_CLOSED",
    "SERV_SSE_DATA_FIELD_BASED_ON_PAYLOAD_FORMAT",
    "SERV_SSE_EVENTS_SENT_VIA_OPEN_CONNECTION",
    "SERV_SSE_EVENT_DEST_CONTEXT_OPAQUE_STR",
    "SERV_SSE_EVENT_DEST_DELETED_ON_CLOSE",
    "SERV_SSE_ID_FIELD_UNIQUELY_IDENTIFIES_PAYLOAD",
    "SERV_SSE_JSON_EVENT_MESSAGE_FORMAT",
    "SERV_SSE_JSON_METRIC_REPORT_FORMAT",
    "SERV_SSE_OPEN_CREATES_EVENT_DEST",
    "SERV_SSE_SUCCESSFUL_RESPONSE",
    "SERV_SSE_UNSUCCESSFUL_RESPONSE",
}
"""There is no event service."""

DISCOVERY = {
    "SERV_SSDP_AL_HEADER_POINTS_TO_SERVICE_ROOT",
    "SERV_SSDP_CAN_BE_DISABLED",
    "SERV_SSDP_MSEARCH_RESPONDS_TO_REDFISH_OR_ALL",
    "SERV_SSDP_M_SEARCH_RESPONSE_FORMAT",
    "SERV_SSDP_ST_HEADER_FORMAT",
    "SERV_SSDP_USN_MATCHES_SERVICE_ROOT_UUID",
    "SERV_SSDP_UUID_IN_CANONICAL_FORMAT",
}
"""Nothing is announced by SSDP: the stop path discovers nothing."""

OTHERS = {
    "PROTO_REDIRECT_ENFORCES_TARGET_PRIVS",  # no redirects
    "REQ_DATA_MOD_ERRORS",  # the validator meets no failing POST
    "REQ_QUERY_PROTOCOL_FEATURES_SUPPORTED",  # no query parameters
    "RESP_STATUS_BAD_REQUEST",  # the validator meets none
    "RESP_STATUS_INTERNAL_SERVER_ERROR",  # the validator meets none
    "SEC_DEFAULT_CERT_REPLACE",  # no certificate service
}

NOT_TESTED = ACCOUNT_MANAGEMENT | EVENTS | DISCOVERY | OTHERS
"""Every assertion of redfish-protocol-validator 1.3.2 that it could not test here."""


def _installed(script: str) -> str:
    found = shutil.which(script, path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip(f"{script} is not installed")
    return found


async def _run(*command: str, folder: Path, authority: Path) -> str:
    """Run a validator that trusts the farm's certificate; return what it printed."""
    environment = {name: value for name, value in os.environ.items() if "CA_BUNDLE" not in name}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**environment, "REQUESTS_CA_BUNDLE": str(authority)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(100):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, printed.decode()
    return printed.decode()


def _target(farm: BmcFarm, folder: Path) -> tuple[list[str], Path]:
    host, port = farm.address(NODE)
    authority = folder / "authority.pem"
    authority.write_bytes(farm.certificate(NODE).certificate_pem)
    login = ["-u", farm.credentials.user, "-p", farm.credentials.password]
    return [*login, "-r", f"https://{host}:{port}"], authority


def _report(folder: Path) -> tuple[dict[str, set[str]], int]:
    """Return the results of each assertion, and how many checks passed in all."""
    results: dict[str, set[str]] = defaultdict(set)
    passes = 0
    with next(folder.glob("reports/*.tsv")).open(newline="") as report:
        for row in csv.DictReader(report, delimiter="\t"):
            results[row["Assertion"]].add(row["Result"])
            passes += row["Result"] == "PASS"
    return results, passes


@pytest.mark.parametrize(("login", "by_action_info"), [("Session", False), ("Basic", True)])
async def test_the_service_validator_passes_at_least_200_checks_and_fails_none(
    plant: Plant, farm: BmcFarm, shared_data: Path, tmp_path: Path, *, login: str, by_action_info: bool
) -> None:
    script = _installed("rf_service_validator")
    with tarfile.open(shared_data / "devices/redfish/csdl.tar.xz") as schemas:
        schemas.extractall(tmp_path, filter="data")
    if by_action_info:
        plant.node(NODE).bmc.offers_by_action_info()
    target, authority = _target(farm, tmp_path)
    options = ["--authtype", login, "--skipschema", "--schema_directory", "csdl", "--logdir", "logs"]
    printed = await _run(script, *target, *options, folder=tmp_path, authority=authority)
    passed, warned, failed, _ = map(
        int, re.findall(r"^\|\s+(\d+)\s+\|\s+(\d+)\s+\|\s+(\d+)\s+\|\s+(\d+)\s+\|", printed, re.MULTILINE)[-1]
    )
    assert (failed, warned) == (0, 0)
    assert passed >= 200
    checked = dict(re.findall(r"Validating (\S+)\.\.\.\s+- Pass: (\d+)", printed))
    paths = ["Systems/1", "Chassis/1", "Managers/1", "SessionService", "AccountService"]
    paths += ["Chassis/1/EnvironmentMetrics", "Chassis/1/PowerSubsystem", "Chassis/1/Sensors/TotalPower"]
    paths += [f"Chassis/1/PowerSubsystem/PowerSupplies/PSU{number}/Metrics" for number in range(1, 7)]
    paths += ["Systems/1/ResetActionInfo"] if by_action_info else []
    for path in paths:
        assert int(checked[f"/redfish/v1/{path}"]) >= 5, path


async def test_the_service_validator_fails_a_bmc_that_answers_500_now_and_then(
    plant: Plant, farm: BmcFarm, shared_data: Path, tmp_path: Path
) -> None:
    script = _installed("rf_service_validator")
    with tarfile.open(shared_data / "devices/redfish/csdl.tar.xz") as schemas:
        schemas.extractall(tmp_path, filter="data")
    plant.node(NODE).bmc.flickers(*[None] * 9, 500)
    target, authority = _target(farm, tmp_path)
    options = ["--authtype", "Basic", "--skipschema", "--schema_directory", "csdl", "--logdir", "logs"]
    with pytest.raises(AssertionError, match=r"Fail: [1-9]"):
        await _run(script, *target, *options, folder=tmp_path, authority=authority)


@pytest.mark.slow
async def test_the_protocol_validator_fails_nothing_and_skips_only_what_is_named(
    farm: BmcFarm, tmp_path: Path
) -> None:
    script = _installed("rf_protocol_validator")
    target, authority = _target(farm, tmp_path)
    options = ["--avoid-http-redirect", "--report-type", "tsv", "--ca-bundle", str(authority)]
    await _run(script, *target, *options, folder=tmp_path, authority=authority)
    results, passes = _report(tmp_path)
    # Two tests for randomness at p < 0.01 warn of one in fifty truly random tokens.
    by_chance = {"RESP_HEADERS_X_AUTH_TOKEN"}
    assert not [name for name, seen in results.items() if "FAIL" in seen]
    assert {name for name, seen in results.items() if "WARN" in seen} <= by_chance
    assert {name for name, seen in results.items() if seen == {"NOT_TESTED"}} == NOT_TESTED
    assert passes >= 200
