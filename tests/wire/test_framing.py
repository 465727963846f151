"""Lines out of bytes, however these are cut."""

from __future__ import annotations

import time

import pytest

from stdioguard.wire.framing import FrameReader, Oversized


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_only_line_feeds_end_a_frame(size: int) -> None:
    data = "a\r\nb\x0b\x0c\x1c\x85\u2028c\r\n\nlast".encode()
    reader = FrameReader()
    frames = [frame for start in range(0, len(data), size) for frame in reader.feed(data[start : start + size])]
    assert frames == [b"a\r", "b\x0b\x0c\x1c\x85\u2028c\r".encode(), b""]
    assert reader.pending == 4, "what has no end is no frame"


@pytest.mark.parametrize("size", [1, 10, 4096, 100_000])
def test_a_frame_over_the_limit_is_dropped_while_it_is_read(size: int) -> None:
    reader = FrameReader(limit=1000)
    data = b"h" * 500 + b"m" * 50_000 + b"t" * 500 + b"\nnext\n"
    frames = []
    for start in range(0, len(data), size):
        frames += reader.feed(data[start : start + size])
        assert len(reader.rest()) <= 1000
    long, following = frames
    assert isinstance(long, Oversized)
    assert long.size == 51_000
    assert long.head.startswith(b"h" * 500)
    assert long.tail.endswith(b"t" * 500)
    assert following == b"next"


def test_a_frame_of_exactly_the_limit_passes() -> None:
    assert FrameReader(limit=10).feed(b"0123456789\n") == [b"0123456789"]
    (refused,) = FrameReader(limit=10).feed(b"0123456789a\n")
    assert isinstance(refused, Oversized)


def test_an_abandoned_frame_holds_nothing_and_ends_at_its_line_feed() -> None:
    reader = FrameReader()
    reader.feed(b"abc")
    reader.abandon()
    (refused, following) = reader.feed(b"def\nnext\n")
    assert isinstance(refused, Oversized)
    assert refused.size == 6
    assert following == b"next"


def test_cutting_a_frame_into_many_pieces_costs_no_more_than_their_number() -> None:
    def cost(pieces: int) -> float:
        reader = FrameReader()
        begun = time.perf_counter()
        for _ in range(pieces):
            reader.feed(b"0123456789")
        reader.feed(b"\n")
        return time.perf_counter() - begun

    cost(1000)
    # Quadratic work would be a factor of 100; the bound only has to tell that from 10.
    assert min(cost(200_000) for _ in range(3)) < 40 * min(cost(20_000) for _ in range(3))
