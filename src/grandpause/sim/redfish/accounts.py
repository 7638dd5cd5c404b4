"""The account service of a simulated BMC: the standard roles, read-only; accounts cannot be managed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from grandpause.sim.redfish.view import GOOD, ROOT, Json, View, collection, link

_SERVICE = f"{ROOT}/AccountService"
_ROLES = f"{_SERVICE}/Roles"

_PRIVILEGES: Mapping[str, tuple[str, ...]] = {
    "Administrator": (
        "Login",
        "ConfigureManager",
        "ConfigureUsers",
        "ConfigureSelf",
        "ConfigureComponents",
    ),
    "Operator": ("Login", "ConfigureSelf", "ConfigureComponents"),
    "ReadOnly": ("Login", "ConfigureSelf"),
}
"""What DSP0266 (14.3, Roles) assigns to the standard roles."""


def _service(_: View) -> Json:
    return {
        "@odata.type": "#AccountService.v1_18_1.AccountService",
        "Id": "AccountService",
        "Name": "Account Service",
        "ServiceEnabled": True,
        "Status": GOOD,
        "Roles": link(_ROLES),
    }


def _role(name: str) -> Callable[[View], Json]:
    return lambda _: {
        "@odata.type": "#Role.v1_3_3.Role",
        "Id": name,
        "Name": name,
        "RoleId": name,
        "IsPredefined": True,
        "AssignedPrivileges": list(_PRIVILEGES[name]),
    }


ACCOUNT_RESOURCES: Mapping[str, Callable[[View], Json]] = {
    _SERVICE: _service,
    _ROLES: collection("Role", "Roles", lambda _: [f"{_ROLES}/{name}" for name in _PRIVILEGES]),
    **{f"{_ROLES}/{name}": _role(name) for name in _PRIVILEGES},
}
