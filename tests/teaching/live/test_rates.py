from __future__ import annotations

from trioscsi.teaching.live.rates import BOUNDS, Counted, Latency, Meter


def test_a_latency_has_median_and_percentile_and_buckets():
    latency = Latency()
    for number in range(1, 101):
        latency.note(number / 1000)
    described = latency.described
    assert (described["count"], described["most"]) == (100, 0.1)
    assert (described["median"], described["p99"]) == (0.051, 0.1)
    assert sum(count for _, count in described["buckets"]) == 100
    assert [bound for bound, _ in described["buckets"]] == [
        bound for bound in BOUNDS if 0.001 <= bound <= 0.1
    ]


def test_what_takes_longer_than_all_bounds_has_a_bucket_without_one():
    latency = Latency()
    latency.note(60)
    assert latency.described["buckets"] == [[None, 1]]


def test_of_nothing_there_is_no_median():
    assert Latency().described == {
        "count": 0,
        "median": None,
        "p99": None,
        "most": None,
        "buckets": [],
    }


def test_connections_that_carried_nothing_are_not_named():
    meter = Meter(1.0)
    meter.add(1, Counted())
    meter.add(2, Counted(bytes_in=3, operations=1))
    described = meter.described(3.0)
    assert described["seconds"] == 2
    assert [each["connection"] for each in described["connections"]] == [2]
