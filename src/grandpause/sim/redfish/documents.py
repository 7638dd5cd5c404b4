"""The documents of a Redfish service that are no resources of a node: root, OData documents, errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from grandpause.sim.redfish.view import MANUFACTURER, ROOT, SESSIONS, Json, View, link, uuid_of
from grandpause.sim.redfish.wire import Response

JSON_HEADERS: Mapping[str, str] = {
    "Content-Type": "application/json;charset=utf-8",
    "OData-Version": "4.0",
    "Cache-Control": "no-store",
}


def error(status: HTTPStatus, message: str, text: str, **headers: str) -> Response:
    """Return an error response with one message of DMTF's Base registry (DSP0266, 8.7)."""
    information = {
        "@odata.type": "#Message.v1_1_1.Message",
        "MessageId": f"Base.1.18.{message}",
        "Message": text,
        "MessageArgs": [],
        "MessageSeverity": "Critical",
        "Resolution": "None.",
    }
    body = {
        "error": {
            "code": f"Base.1.18.{message}",
            "message": text,
            "@Message.ExtendedInfo": [information],
        }
    }
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, body=json.dumps(body).encode(), headers={**JSON_HEADERS, **extra})


def service_root(view: View) -> Json:
    """Return the service root; it is readable without authentication, so it tells nothing of the node."""
    return {
        "@odata.id": f"{ROOT}/",
        "@odata.type": "#ServiceRoot.v1_20_0.ServiceRoot",
        "Id": "RootService",
        "Name": "Root Service",
        "RedfishVersion": "1.20.0",
        "UUID": uuid_of(view, "service"),
        "Vendor": MANUFACTURER,
        "Systems": link(f"{ROOT}/Systems"),
        "Chassis": link(f"{ROOT}/Chassis"),
        "Managers": link(f"{ROOT}/Managers"),
        "AccountService": link(f"{ROOT}/AccountService"),
        "SessionService": link(f"{ROOT}/SessionService"),
        "Links": {"Sessions": link(SESSIONS)},
    }


def odata_service() -> Json:
    """Return the OData service document."""
    names = ("Systems", "Chassis", "Managers", "AccountService", "SessionService")
    services = [{"name": name, "kind": "Singleton", "url": f"{ROOT}/{name}"} for name in names]
    root = {"name": "Service", "kind": "Singleton", "url": f"{ROOT}/"}
    return {
        "@odata.context": f"{ROOT}/$metadata",
        "value": [root, *services, {"name": "Sessions", "kind": "Singleton", "url": SESSIONS}],
    }


def metadata() -> bytes:
    """Return the OData metadata document: references to DMTF's schemas of the types served here."""
    references = "".join(
        f'<edmx:Reference Uri="http://redfish.dmtf.org/schemas/v1/{kind}_v1.xml">'
        f'<edmx:Include Namespace="{kind}"/>'
        + (f'<edmx:Include Namespace="{kind}.{version}"/>' if version else "")
        + "</edmx:Reference>"
        for kind, version in _TYPES.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0">'
        f"{references}"
        '<edmx:Reference Uri="http://redfish.dmtf.org/schemas/v1/RedfishExtensions_v1.xml">'
        '<edmx:Include Namespace="RedfishExtensions.v1_0_0" Alias="Redfish"/></edmx:Reference>'
        '<edmx:DataServices><Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="Service">'
        '<EntityContainer Name="Service" Extends="ServiceRoot.v1_20_0.ServiceContainer"/>'
        "</Schema></edmx:DataServices></edmx:Edmx>"
    ).encode()


def session(session_id: str, user: str) -> Json:
    """Return one session; its token is shown once, in a header, never here."""
    return {
        "@odata.id": f"{SESSIONS}/{session_id}",
        "@odata.type": "#Session.v1_8_0.Session",
        "Id": session_id,
        "Name": "User Session",
        "UserName": user,
        "SessionType": "Redfish",
    }


_TYPES: Mapping[str, str] = {
    "ServiceRoot": "v1_20_0",
    "ComputerSystemCollection": "",
    "ComputerSystem": "v1_27_0",
    "ActionInfo": "v1_5_0",
    "ProcessorCollection": "",
    "Processor": "v1_22_0",
    "ChassisCollection": "",
    "Chassis": "v1_28_0",
    "EnvironmentMetrics": "v1_5_0",
    "SensorCollection": "",
    "Sensor": "v1_12_0",
    "PowerSubsystem": "v1_1_3",
    "PowerSupplyCollection": "",
    "PowerSupply": "v1_6_0",
    "PowerSupplyMetrics": "v1_2_0",
    "ManagerCollection": "",
    "Manager": "v1_24_0",
    "AccountService": "v1_18_1",
    "RoleCollection": "",
    "Role": "v1_3_3",
    "SessionService": "v1_2_0",
    "SessionCollection": "",
    "Session": "v1_8_0",
}
