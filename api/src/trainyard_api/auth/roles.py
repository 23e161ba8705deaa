"""Roles: what a token's claims allow."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """Each may do what those before it may do as well."""

    VIEWER = "viewer"
    """Reads."""
    TRAINER = "trainer"
    """Creates and cancels trainings, uploads, retrains."""
    ADMIN = "admin"
    """Decides about champions and alerts; sees everybody's audit."""

    def includes(self, other: "Role") -> bool:
        """Whether this role may do what `other` may do."""
        return _ORDER.index(self) >= _ORDER.index(other)


_ORDER = tuple(Role)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, as their token says."""

    subject: str
    role: Role


def role_of(claims: Mapping[str, Any], *, claim: str, default: Role | None) -> Role | None:
    """The highest role that `claim` names; `default` only where the token has no such claim.

    `claim` is a name, or a path of names such as realm_access.roles. A claim that names no role of
    ours gives none: whoever manages roles elsewhere has given this person none.
    """
    value = _find(claims, claim)
    if value is None:
        return default
    named = {value} if isinstance(value, str) else _strings(value)
    return max((role for role in Role if role in named), key=_ORDER.index, default=None)


def _find(claims: Mapping[str, Any], path: str) -> Any:
    # Names such as https://example.com/roles have dots of their own.
    if path in claims:
        return claims[path]
    value: Any = claims
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _strings(value: Any) -> set[str]:
    return {item for item in value if isinstance(item, str)} if isinstance(value, list) else set()
