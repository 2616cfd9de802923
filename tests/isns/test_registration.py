from __future__ import annotations

from trioscsi.isns import Entity, Flag, Function, Node, Tag
from trioscsi.isns.message import address, empty, number, text

DISK, OTHER = "iqn.2025-12.test:disk", "iqn.2025-12.test:other"
HERE = ("192.0.2.1", 3260)
ENTITY = Entity(
    "host:3260",
    (
        Node(DISK, "a disk", ((*HERE, 1), ("2001:db8::1", 13_260, 7))),
        Node(OTHER, None, ((*HERE, 1),)),
    ),
    60,
    4000,
)


def test_a_registration_replaces_what_there_was_of_this_entity() -> None:
    message = ENTITY.register(5)
    assert (message.function, message.transaction) == (Function.DEVICE_ATTRIBUTE_REGISTRATION, 5)
    assert message.flags == Flag.CLIENT | Flag.REPLACE
    assert message.attributes[:4] == (
        text(Tag.ISCSI_NAME, DISK),
        text(Tag.ENTITY_IDENTIFIER, "host:3260"),
        empty(Tag.DELIMITER),
        text(Tag.ENTITY_IDENTIFIER, "host:3260"),
    )


def test_each_portal_is_registered_once_with_where_notices_are_heard() -> None:
    attributes = ENTITY.register(5).attributes
    first = attributes.index(address(Tag.PORTAL_IP_ADDRESS, "192.0.2.1"))
    assert attributes[first : first + 5] == (
        address(Tag.PORTAL_IP_ADDRESS, "192.0.2.1"),
        number(Tag.PORTAL_PORT, 3260),
        number(Tag.ESI_INTERVAL, 60),
        number(Tag.ESI_PORT, 4000),
        number(Tag.SCN_PORT, 4000),
    )
    assert ENTITY.portals == [HERE, ("2001:db8::1", 13_260)]
    assert [tag for tag, _ in attributes].count(Tag.PORTAL_IP_ADDRESS) == 2


def test_each_target_is_registered_with_its_portal_groups() -> None:
    attributes = ENTITY.register(5).attributes
    start = len(attributes) - 1 - attributes[::-1].index(text(Tag.ISCSI_NAME, DISK))
    assert attributes[start : start + 9] == (
        text(Tag.ISCSI_NAME, DISK),
        number(Tag.ISCSI_NODE_TYPE, 1),
        text(Tag.ISCSI_ALIAS, "a disk"),
        address(Tag.PG_PORTAL_IP_ADDRESS, "192.0.2.1"),
        number(Tag.PG_PORTAL_PORT, 3260),
        number(Tag.PG_TAG, 1),
        address(Tag.PG_PORTAL_IP_ADDRESS, "2001:db8::1"),
        number(Tag.PG_PORTAL_PORT, 13_260),
        number(Tag.PG_TAG, 7),
    )
    assert attributes[start + 9] == text(Tag.ISCSI_NAME, OTHER)


def test_notices_are_asked_for_of_initiators_that_come_and_go() -> None:
    message = ENTITY.ask_for_notices(ENTITY.nodes[1], 6)
    assert message.function == Function.SCN_REGISTRATION
    assert message.attributes == (
        text(Tag.ISCSI_NAME, OTHER),
        text(Tag.ISCSI_NAME, OTHER),
        empty(Tag.DELIMITER),
        number(Tag.ISCSI_SCN_BITMAP, 0x98),
    )


def test_the_entity_can_be_asked_for_and_taken_out() -> None:
    query = ENTITY.ask_for_itself(7)
    assert query.function == Function.DEVICE_ATTRIBUTE_QUERY
    assert query.attributes[1] == text(Tag.ENTITY_IDENTIFIER, "host:3260")
    gone = ENTITY.deregister(8)
    assert gone.function == Function.DEVICE_DEREGISTRATION
    assert gone.attributes[1:] == (empty(Tag.DELIMITER), text(Tag.ENTITY_IDENTIFIER, "host:3260"))
