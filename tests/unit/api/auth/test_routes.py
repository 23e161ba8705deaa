"""Every route by every role. The routes are the application's, so a new one cannot be forgotten."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from trainyard_api.auth import Role

PUBLIC = {("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics")}
FOR_SERVICES = {("POST", "/retrain")}
_OF_ADMINS = re.compile(
    r"/api/v1/(models(/\{model\}(/(promote|approve|reject|rollback))?)?"
    r"|alerts/\{[a-z_]+\}/redeliver)"
)
_HIDDEN = {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/static-offline-docs"}

Operation = tuple[str, str]


def needed(operation: Operation) -> Role:
    """Reading is for viewers; Models, their champions and alerts are for admins."""
    method, path = operation
    if path.startswith("/api/v1/alerts"):
        return Role.ADMIN
    if method == "GET":
        return Role.VIEWER
    return Role.ADMIN if _OF_ADMINS.fullmatch(path) else Role.TRAINER


def operations(app: FastAPI) -> dict[Operation, dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    }


def test_each_operation_names_the_role_it_needs(app: FastAPI) -> None:
    found = {name: operation.get("security") for name, operation in operations(app).items()}
    expected: dict[Operation, Any] = {name: [{"Bearer": [needed(name)]}] for name in found}
    expected |= dict.fromkeys(PUBLIC)
    expected |= {name: [{"ServiceToken": []}] for name in FOR_SERVICES & found.keys()}
    assert found == expected


# The same bytes are the same dataset; and who calls POST /retrain knows of no key.
WITHOUT_KEY = {"/api/upload", "/api/v1/datasets", "/retrain"}


def test_each_post_takes_an_idempotency_key(app: FastAPI) -> None:
    for (method, path), operation in operations(app).items():
        if method == "POST" and path not in WITHOUT_KEY:
            headers = [parameter["name"] for parameter in operation.get("parameters", ())]
            assert "idempotency-key" in headers, f"{path}: its router needs IdempotentRoute"


def test_nothing_is_served_that_is_not_in_the_document(app: FastAPI) -> None:
    described = {path for _, path in operations(app)}
    served = set(_paths(app.routes))
    assert described <= served
    assert served - described <= _HIDDEN


def _paths(routes: Iterable[Any]) -> Iterator[str]:
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from _paths(included.routes)
        else:
            yield route.path


@pytest.mark.parametrize("role", [None, *Role])
async def test_who_is_let_in(
    app: FastAPI, anonymous: httpx.AsyncClient, sign: Callable[..., str], role: Role | None
) -> None:
    if role is not None:
        anonymous.headers["Authorization"] = f"Bearer {sign(role=role)}"
    for method, path in operations(app).keys() - PUBLIC - FOR_SERVICES:
        answer = await anonymous.request(method, re.sub(r"\{[^}]*\}", "xgboost", path))
        where = f"{method} {path} as {role}: {answer.text}"
        if role is None:
            assert answer.status_code == 401, where
            assert answer.headers["www-authenticate"] == "Bearer", where
        elif role.includes(needed((method, path))):
            assert answer.status_code not in (401, 403), where
        else:
            assert answer.status_code == 403, where
            assert f"needs the role {needed((method, path))}" in answer.text, where
