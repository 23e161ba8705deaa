from typing import Any

import pytest
from trainyard_api.auth.roles import Role, role_of

VIEWER, TRAINER, ADMIN = Role


@pytest.mark.parametrize(
    ("claims", "claim", "role"),
    [
        ({"role": "viewer"}, "role", VIEWER),
        ({"role": "admin"}, "role", ADMIN),
        ({"role": ["viewer", "admin", "trainer"]}, "role", ADMIN),
        ({"role": ["offline_access", "viewer"]}, "role", VIEWER),
        ({"realm_access": {"roles": ["trainer"]}}, "realm_access.roles", TRAINER),
        ({"https://example.com/roles": ["admin"]}, "https://example.com/roles", ADMIN),
        # Without the claim, the default.
        ({}, "role", TRAINER),
        ({"role": None}, "role", TRAINER),
        ({"realm_access": {}}, "realm_access.roles", TRAINER),
        ({"realm_access": "x"}, "realm_access.roles", TRAINER),
        # With it, nothing but what it names.
        ({"role": "root"}, "role", None),
        ({"role": ""}, "role", None),
        ({"role": []}, "role", None),
        ({"role": ["Admin", "administrator"]}, "role", None),
        ({"role": "viewer admin"}, "role", None),
        ({"role": {"admin": True}}, "role", None),
        ({"role": [["admin"], {"a": "admin"}, 1, None]}, "role", None),
        ({"role": True}, "role", None),
        ({"roles": ["admin"], "role": "viewer"}, "role", VIEWER),
    ],
)
def test_what_a_claim_gives(claims: dict[str, Any], claim: str, role: Role | None) -> None:
    assert role_of(claims, claim=claim, default=TRAINER) is role


def test_no_default_is_no_role() -> None:
    assert role_of({}, claim="role", default=None) is None


def test_each_role_includes_those_before_it() -> None:
    included = [(one, other) for one in Role for other in Role if one.includes(other)]
    assert included == [
        (VIEWER, VIEWER),
        (TRAINER, VIEWER),
        (TRAINER, TRAINER),
        (ADMIN, VIEWER),
        (ADMIN, TRAINER),
        (ADMIN, ADMIN),
    ]
