from __future__ import annotations

import pytest

from trioscsi.errors import CommandFailed
from trioscsi.initiator.results import Answer
from trioscsi.scsi.complaints import INVALID_COMMAND_OPERATION_CODE, unit_attention
from trioscsi.scsi.sense import AdditionalSense


def test_the_data_of_a_command_that_has_succeeded():
    assert Answer(0, b"", b"data").check() == b"data"


def test_any_other_status_is_an_error():
    with pytest.raises(CommandFailed) as caught:
        Answer(0x18, b"", b"data").check()
    assert caught.value.status == 0x18


@pytest.mark.parametrize("descriptor", [False, True])
def test_a_unit_attention_is_told_from_other_conditions(descriptor: bool):
    attention = unit_attention(AdditionalSense.REPORTED_LUNS_DATA_HAS_CHANGED)
    assert Answer(2, attention.encode(descriptor=descriptor), b"").is_attention
    other = INVALID_COMMAND_OPERATION_CODE.encode(descriptor=descriptor)
    assert not Answer(2, other, b"").is_attention
    assert not Answer(2, b"", b"").is_attention
    assert not Answer(2, b"\x70", b"").is_attention
