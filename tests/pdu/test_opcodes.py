from __future__ import annotations

import pytest

from trioscsi.pdu import CLASSES, FROM_INITIATOR, FROM_TARGET, Opcode, from_initiator


def test_every_opcode_has_its_class():
    assert list(CLASSES) == list(Opcode)
    assert all(cls.opcode == opcode for opcode, cls in CLASSES.items())


def test_the_sender_can_be_told_from_the_opcode():
    assert all(from_initiator(cls.opcode) for cls in FROM_INITIATOR)
    assert not any(from_initiator(cls.opcode) for cls in FROM_TARGET)


@pytest.mark.parametrize(("opcode", "initiator"), [(0x1C, True), (0x1E, True), (0x3C, False)])
def test_the_sender_of_a_vendor_opcode_can_be_told_too(opcode, initiator):
    assert from_initiator(opcode) is initiator
