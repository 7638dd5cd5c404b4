"""What an act reaches: all sites of the charter, named sites, one hall, or one tenant. (spec/scope.md)"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from grandpause.core.canonical import Value
from grandpause.core.fields import Fields
from grandpause.core.model import SITE_PART


class ScopeKind(StrEnum):
    """The forms that a scope can take."""

    ALL = "all"
    SITES = "sites"
    HALL = "hall"
    TENANT = "tenant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What an act reaches. An act without a scope cannot be written.

    Attributes:
        sites: random site ids; empty for ``all``; exactly one for a hall or tenant.
        name: the hall's or tenant's name; empty otherwise.
    """

    kind: ScopeKind
    sites: tuple[str, ...] = ()
    name: str = ""

    @property
    def part(self) -> str:
        """The part of a site that is reached, as caps name it."""
        return SITE_PART if self.kind in {ScopeKind.ALL, ScopeKind.SITES} else f"{self.kind}:{self.name}"

    def reaches(self, site: str) -> bool:
        """Tell whether any part of ``site`` is reached."""
        return self.kind is ScopeKind.ALL or site in self.sites

    def covers(self, other: Scope) -> bool:
        """Tell whether everything that ``other`` reaches is reached by this scope too."""
        if self.kind is ScopeKind.ALL:
            return True
        if other.kind is ScopeKind.ALL:
            return False
        if self.kind is ScopeKind.SITES:
            return set(other.sites) <= set(self.sites)
        return self == other

    def to_value(self) -> dict[str, Value]:
        """Return the scope as it is written in statements."""
        if self.kind is ScopeKind.ALL:
            return {"kind": "all"}
        if self.kind is ScopeKind.SITES:
            return {"kind": "sites", "sites": list(self.sites)}
        return {"kind": str(self.kind), "site": self.sites[0], "name": self.name}

    @classmethod
    def read(cls, fields: Fields) -> Scope:
        """Read a scope. Raises StatementError naming the field."""
        kind = fields.choice("kind", ScopeKind)
        if kind is ScopeKind.ALL:
            return cls(kind=kind)
        if kind is ScopeKind.SITES:
            sites = fields.identifiers("sites")
            if not sites:
                fields.refuse("sites", "names no site")
            return cls(kind=kind, sites=sites)
        return cls(kind=kind, sites=(fields.identifier("site"),), name=fields.identifier("name"))
