from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi import LogicalUnit
from trioscsi.scsi.modes.pages import CACHING, DISK_PAGES, FORMAT_DEVICE, RIGID_DISK_GEOMETRY

sizes = st.integers(1, 2**64 - 1) | st.integers(1, 100_000)


def disk(blocks: int = 2**21, *, write_cache: bool = True) -> LogicalUnit:
    return LogicalUnit(0, target_name="iqn.x", blocks=blocks, write_cache=write_cache)


@given(sizes)
def test_a_geometry_has_no_zero_and_no_more_blocks_than_the_disk(blocks: int) -> None:
    unit = disk(blocks)
    rigid, of_tracks = RIGID_DISK_GEOMETRY.defaults(unit), FORMAT_DEVICE.defaults(unit)
    cylinders, heads = rigid["number_of_cylinders"], rigid["number_of_heads"]
    assert min(cylinders, heads, of_tracks["sectors_per_track"]) > 0
    assert cylinders * heads * of_tracks["sectors_per_track"] <= blocks
    assert of_tracks["tracks_per_zone"] == heads


@given(sizes)
def test_every_page_of_every_disk_can_be_encoded(blocks: int) -> None:
    unit = disk(blocks)
    for page in DISK_PAGES.values():
        assert len(page.encode(page.defaults(unit), saveable=True)) == page.layout.length


@pytest.mark.parametrize("page", DISK_PAGES.values(), ids=lambda page: page.name)
def test_every_default_is_a_value_that_could_be_chosen(page: object) -> None:
    unit = disk()
    for each in DISK_PAGES.values():
        for name, setting in each.settings.items():
            if setting.changeable(unit):
                assert setting.of(unit) in setting.takes, name


def test_a_cache_that_is_not_there_cannot_be_switched_on() -> None:
    unit = disk(write_cache=False)
    assert CACHING.defaults(unit)["wce"] == 0
    assert CACHING.changeable(unit) == {}
    assert CACHING.changeable(disk()) == {"wce": 1}
