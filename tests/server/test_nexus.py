from __future__ import annotations

import attrs
import pytest

from tests.protocol.peer import Gate, login
from tests.requirements import requirement
from tests.server.conftest import Build
from tests.server.peer import INQUIRY
from trioscsi.protocol import Session
from trioscsi.server.nexus import nexus_of


@pytest.fixture
def session() -> Session:
    session = login(Gate()).connection.session
    assert session is not None
    return session


def test_ports_are_named_by_initiator_isid_target_and_portal_group(session: Session) -> None:
    nexus = nexus_of(session)
    assert nexus.initiator_port == f"{session.initiator_name},i,0x{session.isid.hex()}"
    assert nexus.target_port == f"{session.node.name},t,0x0001"
    assert (nexus.relative_target_port, nexus.target_port_group) == (1, 1)
    assert nexus.view is session.view


@pytest.mark.parametrize(("level", "queries"), [(1, False), (2, True)])
def test_what_a_nexus_can_is_what_was_negotiated(
    session: Session, level: int, queries: bool
) -> None:
    session.parameters = attrs.evolve(session.parameters, protocol_level=level)
    nexus = nexus_of(session)
    assert nexus.transport == 0x0960 + level
    assert (nexus.queries, nexus.sense_with_any_status) == (queries, queries)


@pytest.mark.parametrize(
    ("keys", "descriptor"),
    [({}, 0x0961), ({"iSCSIProtocolLevel": "0"}, 0x0960), ({"iSCSIProtocolLevel": "2"}, 0x0962)],
)
@requirement("7144-4.2-1")
@requirement("7144-7.1.1-1")
async def test_the_level_of_the_protocol_is_in_the_inquiry_data(
    build: Build, keys: dict[str, str], descriptor: int
) -> None:
    peer = await build().log_in(**keys)
    assert (await peer.do(INQUIRY, reads=96)).data[60:62] == descriptor.to_bytes(2)
