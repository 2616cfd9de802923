"""All drivers that are built in, by the names that ``trioscsi conformance run --recipe`` takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trioscsi.conformance.drivers.driver import Driver
from trioscsi.conformance.drivers.in_house import InHouse
from trioscsi.conformance.drivers.ipxe import IpxeDriver
from trioscsi.conformance.drivers.linux import LinuxDriver
from trioscsi.conformance.drivers.recipes import RECIPES

BUILT_IN: Mapping[str, Callable[[], Driver]] = {
    "in-house": InHouse,
    "libiscsi": lambda: RECIPES["libiscsi"],
    "qemu": lambda: RECIPES["qemu"],
    "linux": LinuxDriver,
    "ipxe": IpxeDriver,
}
