"""Requests for the history that make no sense; what it answers is tested with a real Postgres."""

from collections.abc import Callable

import httpx
import pytest


@pytest.mark.parametrize(
    "query", ["user=%00", "user=a%00b", "user=", "user=" + "x" * 257, "all=maybe", "cursor=%00"]
)
async def test_a_query_that_makes_no_sense(
    anonymous: httpx.AsyncClient, sign: Callable[..., str], query: str
) -> None:
    header = {"Authorization": f"Bearer {sign(role='admin')}"}
    answer = await anonymous.get(f"/api/history?{query}", headers=header)
    assert answer.status_code == 422, answer.text
    assert answer.json()["success"] is False
