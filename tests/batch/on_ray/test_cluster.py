"""How this process comes to a cluster."""

from __future__ import annotations

import signal
import socket
import sys

import pytest

from tfadvpath.batch.on_ray.cluster import _signals_kept, cluster
from tfadvpath.errors import InputError


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("ray://head:10001", "is of Ray's client"),
        ("127.0.0.1:{port}", "cannot be reached"),
        ("127.0.0.1:port", "cannot be reached"),
    ],
)
def test_a_cluster_that_cannot_be_reached_is_one_line_at_once(monkeypatch, address, says):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        given = address.format(port=free.getsockname()[1])
        monkeypatch.setenv("RAY_ADDRESS", given)
        with pytest.raises(InputError, match=f"`ray_address`: .*{says}") as error, cluster(None):
            pass
    assert given in str(error.value)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_handlers_of_signals_are_put_back(number):
    came = []
    before = signal.signal(number, lambda *_: came.append(number))
    try:
        with _signals_kept():
            signal.signal(number, lambda *_: sys.exit(1))  # as Ray does
        signal.raise_signal(number)
        assert came == [number]
    finally:
        signal.signal(number, before)


def test_the_end_that_ray_makes_of_a_signal_is_the_signal_again():
    def end(*_):
        raise KeyboardInterrupt("SIGTERM")

    def start_and_end():
        with _signals_kept():
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # as Ray does
            signal.raise_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
            start_and_end()
    finally:
        signal.signal(signal.SIGTERM, before)
