"""What one simulated BMC answers to one request, when it is in its right mind."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import formatdate
from http import HTTPStatus

from grandpause.core.model import Power, Reply
from grandpause.sim.parts import Node
from grandpause.sim.plant import Plant
from grandpause.sim.redfish.access import Access, Login
from grandpause.sim.redfish.documents import (
    JSON_HEADERS,
    error,
    metadata,
    odata_service,
    service_root,
    session,
)
from grandpause.sim.redfish.resources import resource, system
from grandpause.sim.redfish.view import RESET, ROOT, SESSIONS, SYSTEM, Json, View
from grandpause.sim.redfish.wire import Request, Response

_READS = ("GET", "HEAD")
_KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})
_LOGIN = (SESSIONS, f"{SESSIONS}/Members")
"""A POST to a collection and one to its Members are the same (DSP0266, 7.9)."""
_POWER_MARK = "~power~"
_METADATA = metadata()


class BmcService:
    """The Redfish service of every BMC of a plant."""

    def __init__(self, plant: Plant, access: Access, *, wall_s: Callable[[], float]) -> None:
        self.commands: list[tuple[str, str]] = []
        self.first_reset_s: float | None = None
        self.access = access
        self._plant = plant
        self._wall_s = wall_s
        self._systems: dict[tuple[object, ...], tuple[bytes, bytes]] = {}
        self._date = (0, "")

    def answer(self, node: Node, request: Request, now_s: float) -> Response | None:
        """Answer ``request`` to the BMC of ``node``; None if the BMC lost its power meanwhile."""
        path, _, query = request.target.partition("?")
        if len(path) > 1:
            path = path.rstrip("/")
        if request.headers.get(b"odata-version", b"4.0") != b"4.0":
            return error(HTTPStatus.PRECONDITION_FAILED, "HeaderInvalid", "Only OData-Version 4.0 is served.")
        response = self._open_document(node, request, path, now_s)
        if response is not None:
            return response
        login = self.access.login(node, request.headers)
        if login is not Login.GOOD:
            return self._unauthorized(login)
        if request.method not in _KNOWN_METHODS:
            return error(HTTPStatus.NOT_IMPLEMENTED, "OperationNotAllowed", "The method is not implemented.")
        if query and any(name.startswith("$") for name in query.split("&")):
            return error(
                HTTPStatus.NOT_IMPLEMENTED,
                "QueryNotSupported",
                f"Query parameters are not supported: {query.split('&')}",
            )
        if path == RESET:
            return self._reset(node, request, now_s)
        if path == SYSTEM and request.method in _READS:
            headers = self._headers("GET, HEAD", _SYSTEM_SCHEMA)
            return Response(status=HTTPStatus.OK, body=self._system(node, now_s), headers=headers)
        return self._resource(node, request, path, now_s)

    def _open_document(self, node: Node, request: Request, path: str, now_s: float) -> Response | None:
        """Answer what needs no authentication: root, OData documents, and the login itself."""
        if path in _LOGIN and request.method == "POST":
            return self._open_session(node, request)
        if request.method not in _READS:
            return None
        if path == ROOT:
            return self._json(service_root(self._view(node, now_s)))
        if path == "/redfish":
            return self._json({"v1": f"{ROOT}/"})
        if path == f"{ROOT}/odata":
            return self._json(odata_service())
        if path == f"{ROOT}/$metadata":
            headers = {**self._headers("GET, HEAD"), "Content-Type": "application/xml;charset=utf-8"}
            return Response(status=HTTPStatus.OK, body=_METADATA, headers=headers)
        return None

    def _resource(self, node: Node, request: Request, path: str, now_s: float) -> Response:
        view = self._view(node, now_s)
        if path.startswith(f"{SESSIONS}/"):
            return self._session(node, request, path.removeprefix(f"{SESSIONS}/"))
        found = service_root(view) if path == ROOT else resource(path, view)
        if found is None:
            return error(HTTPStatus.NOT_FOUND, "ResourceMissingAtURI", "There is no resource at this URI.")
        if request.method in _READS:
            return self._json(found, allow="GET, HEAD, POST" if path == SESSIONS else "GET, HEAD")
        return _not_allowed("GET, HEAD, POST" if path == SESSIONS else "GET, HEAD")

    def _reset(self, node: Node, request: Request, now_s: float) -> Response | None:
        if request.method != "POST":
            return _not_allowed("POST")
        body = _object(request.body)
        if body is None:
            return error(HTTPStatus.BAD_REQUEST, "MalformedJSON", "The body is no JSON object.")
        reset_type = body.get("ResetType")
        if not isinstance(reset_type, str):
            return error(HTTPStatus.BAD_REQUEST, "ActionParameterMissing", "ResetType is missing.")
        self.commands.append((node.id, reset_type))
        self.first_reset_s = now_s if self.first_reset_s is None else self.first_reset_s
        reply = self._plant.command(node.id, reset_type, now_s)
        if reply is Reply.UNREACHABLE:
            return None
        if reply is Reply.REFUSED:
            return error(
                HTTPStatus.BAD_REQUEST, "ActionParameterNotSupported", "This ResetType is not supported."
            )
        return Response(status=HTTPStatus.NO_CONTENT, headers=self._headers("POST"))

    def _open_session(self, node: Node, request: Request) -> Response:
        body = _object(request.body)
        if body is None:
            return error(HTTPStatus.BAD_REQUEST, "MalformedJSON", "The body is no JSON object.")
        opened = self.access.open_session(node, body.get("UserName"), body.get("Password"))
        if opened is None:
            return self._unauthorized(Login.BAD)
        session_id, token = opened
        shown = session(session_id, self.access.credentials.user)
        headers = {
            **self._headers("GET, HEAD, POST"),
            "X-Auth-Token": token,
            "Location": f"{SESSIONS}/{session_id}",
        }
        return Response(status=HTTPStatus.CREATED, body=_encoded(shown), headers=headers)

    def _session(self, node: Node, request: Request, session_id: str) -> Response:
        if session_id not in self.access.session_ids(node):
            return error(HTTPStatus.NOT_FOUND, "ResourceMissingAtURI", "There is no such session.")
        if request.method in _READS:
            shown = session(session_id, self.access.credentials.user)
            return self._json(shown, allow="GET, HEAD, DELETE")
        if request.method == "DELETE":
            self.access.close_session(node, session_id)
            return Response(status=HTTPStatus.NO_CONTENT, headers=self._headers("GET, HEAD, DELETE"))
        return _not_allowed("GET, HEAD, DELETE")

    def _system(self, node: Node, now_s: float) -> bytes:
        """Return the ComputerSystem; kept ready for use, since a stop reads it again and again."""
        bmc = node.bmc
        key = (node.id, bmc.reset_types, bmc.action_info)
        known = self._systems.get(key)
        if known is None:
            shown = {"@odata.id": SYSTEM, **system(self._view(node, now_s)), "PowerState": _POWER_MARK}
            before, _, after = _encoded(shown).partition(_POWER_MARK.encode())
            self._systems[key] = known = (before, after)
        return b"On".join(known) if self._plant.claimed(node.id, now_s) is Power.ON else b"Off".join(known)

    def _view(self, node: Node, now_s: float) -> View:
        power = self._plant.claimed(node.id, now_s)
        watts = self._plant.true_node_watts(node.id, now_s)
        return View(
            node_id=node.id,
            machine=node.machine,
            power=power,
            watts=watts if power is Power.ON else min(watts, node.machine.standby_w),
            date_time=datetime.fromtimestamp(self._wall_s(), UTC).isoformat(timespec="seconds"),
            reset_types=node.bmc.reset_types,
            action_info=node.bmc.action_info,
            session_ids=self.access.session_ids(node),
        )

    def _json(self, found: Json, *, allow: str = "GET, HEAD") -> Response:
        kind = found.get("@odata.type", "")
        return Response(
            status=HTTPStatus.OK, body=_encoded(found), headers=self._headers(allow, _schema(kind))
        )

    def _headers(self, allow: str, described_by: str = "") -> dict[str, str]:
        second = int(self._wall_s())
        if second != self._date[0]:
            self._date = (second, formatdate(second, usegmt=True))
        headers = {**JSON_HEADERS, "Allow": allow, "Date": self._date[1]}
        if described_by:
            headers["Link"] = f"<{described_by}>; rel=describedby"
        return headers

    def _unauthorized(self, login: Login) -> Response:
        headers = {"WWW_Authenticate": 'Basic realm="Redfish"'} if self.access.basic else {}
        if login is Login.NONE:
            return error(HTTPStatus.UNAUTHORIZED, "NoValidSession", "Authentication is required.", **headers)
        return error(
            HTTPStatus.UNAUTHORIZED, "ResourceAtUriUnauthorized", "Authentication failed.", **headers
        )


def _schema(kind: str) -> str:
    """Return where DMTF publishes the JSON schema of an ``@odata.type``; empty for no type."""
    return (
        f"http://redfish.dmtf.org/schemas/v1/{kind.removeprefix('#').rpartition('.')[0]}.json" if kind else ""
    )


_SYSTEM_SCHEMA = _schema("#ComputerSystem.v1_27_0.ComputerSystem")


def _not_allowed(allow: str) -> Response:
    return error(
        HTTPStatus.METHOD_NOT_ALLOWED, "OperationNotAllowed", "The method is not allowed here.", Allow=allow
    )


def _object(body: bytes) -> Json | None:
    try:
        value = json.loads(body)
    except (UnicodeDecodeError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _encoded(value: Json) -> bytes:
    return json.dumps(value).encode()
