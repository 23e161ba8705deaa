from collections.abc import AsyncIterator

import pytest
from trainyard_api.trainings.log_lines import Numbered, Position, split

POD = "0123abcd-and-more"


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def lines(*parts: bytes) -> list[bytes]:
    return [line async for some in split(chunks(*parts)) for line in some]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], []),
        ([b"a\nb\n"], [b"a", b"b"]),
        ([b"a", b"b\nc", b"\n\nd"], [b"ab", b"c", b"", b"d"]),
        ([b"\xc3", b"\xa9\n"], [b"\xc3\xa9"]),
    ],
)
async def test_lines_of_chunks(parts: list[bytes], expected: list[bytes]) -> None:
    assert await lines(*parts) == expected


async def test_a_line_without_end_does_not_fill_the_memory() -> None:
    pieces = await lines(*[b"x" * 10_000] * 50, b"\ny\n")
    assert max(map(len, pieces)) <= 64 * 1024
    assert b"".join(pieces) == b"x" * 500_000 + b"y"


async def test_pieces_do_not_depend_on_chunks() -> None:
    text = b"x" * 200_000 + b"\n" + b"y" * 70_000 + b"\nz\n"
    whole = await lines(text)
    assert await lines(*(text[at : at + 999] for at in range(0, len(text), 999))) == whole


def test_numbered_events() -> None:
    numbered = Numbered(POD, None)
    assert (
        numbered.events([b"a", b"\xff"])
        == (
            "event: line\ndata: a\nid: 0123abcd-1\n\nevent: line\ndata: \ufffd\nid: 0123abcd-2\n\n"
        ).encode()
    )
    assert numbered.position == Position("0123abcd", 2)


def test_what_was_seen_of_this_pod_is_left_out() -> None:
    numbered = Numbered(POD, Position("0123abcd", 2))
    assert numbered.events([b"a", b"b"]) == b""
    assert numbered.position == Position("0123abcd", 2)
    assert numbered.events([b"c"]).endswith(b"id: 0123abcd-3\n\n")
    assert Numbered(POD, Position("ffffffff", 2)).events([b"a"])


@pytest.mark.parametrize("given", [None, "", "17", "0123abcd", "0123ABCD-1", "0123abcd-1x"])
def test_ids_that_are_none_of_ours(given: str | None) -> None:
    assert Position.of(given) is None


def test_an_id_is_a_position() -> None:
    assert Position.of("0123abcd-17") == Position("0123abcd", 17)
    assert str(Position("0123abcd", 17)) == "0123abcd-17"
