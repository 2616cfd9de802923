from __future__ import annotations

from trioscsi import Limits
from trioscsi.server.crowd import Crowd

HOST, OTHER = "192.0.2.1", "192.0.2.2"


def test_a_host_has_so_many_connections_and_no_more() -> None:
    crowd = Crowd(Limits(connections_per_address=2))
    for _ in range(2):
        assert crowd.refusal(HOST, 0) is None
        crowd.enter(HOST)
    assert crowd.refusal(HOST, 0) == f"{HOST} has 2 connections already"
    assert crowd.refusal(OTHER, 0) is None
    crowd.leave(HOST)
    assert crowd.refusal(HOST, 0) is None


def test_a_host_opens_so_many_connections_in_a_second_and_no_more() -> None:
    crowd = Crowd(Limits(connection_rate=10))
    for _ in range(10):
        assert crowd.refusal(HOST, 100.0) is None
    assert crowd.refusal(HOST, 100.0) == f"{HOST} opens more than 10 connections a second"
    assert crowd.refusal(OTHER, 100.0) is None
    assert crowd.refusal(HOST, 100.05) is not None
    assert crowd.refusal(HOST, 100.125) is None
    assert crowd.refusal(HOST, 100.125) is not None


def test_time_without_connections_is_saved_up_for_one_second_at_most() -> None:
    crowd = Crowd(Limits(connection_rate=4))
    crowd.refusal(HOST, 0)
    assert [crowd.refusal(HOST, 1000) is None for _ in range(5)] == [True] * 4 + [False]


def test_what_is_remembered_of_hosts_is_bounded() -> None:
    crowd = Crowd(Limits(connection_rate=1))
    crowd.refusal(HOST, 0)
    assert crowd.refusal(HOST, 0) is not None
    for number in range(5000):
        crowd.refusal(str(number), 0)
    assert crowd.refusal(HOST, 0) is None
    assert len(crowd._paces) < 5000
