"""What a name server is told of us, and asked (RFC 4171 sections 5.6.5 and 6)."""

from __future__ import annotations

import attrs

from trioscsi.isns.codes import NODE_TARGET, PROTOCOL_ISCSI, Change, Flag, Function, Tag
from trioscsi.isns.message import Attribute, Message, address, empty, number, text

WANTED = Change.INITIATOR_AND_SELF_ONLY | Change.OBJECT_REMOVED | Change.OBJECT_ADDED


@attrs.frozen
class Node:
    """One target and the tags of the portal groups that lead to it, by portal."""

    name: str
    alias: str | None = None
    groups: tuple[tuple[str, int, int], ...] = ()
    """IP address, port and portal group tag."""


@attrs.frozen
class Entity:
    """All of our targets and portals, under one name."""

    identifier: str
    nodes: tuple[Node, ...]
    esi_interval: int
    """Seconds between the inquiries that we ask for."""
    notice_port: int
    """The TCP port at which we hear inquiries and notifications."""

    @property
    def portals(self) -> list[tuple[str, int]]:
        """IP addresses and ports, each once."""
        return list(
            dict.fromkeys((host, port) for node in self.nodes for host, port, _ in node.groups)
        )

    def register(self, transaction: int) -> Message:
        """Take our names into the register, in the place of what it had of this entity."""
        attributes = [
            self._source,
            text(Tag.ENTITY_IDENTIFIER, self.identifier),
            empty(Tag.DELIMITER),
            text(Tag.ENTITY_IDENTIFIER, self.identifier),
            number(Tag.ENTITY_PROTOCOL, PROTOCOL_ISCSI),
        ]
        for host, port in self.portals:
            attributes += [
                address(Tag.PORTAL_IP_ADDRESS, host),
                number(Tag.PORTAL_PORT, port),
                number(Tag.ESI_INTERVAL, self.esi_interval),
                number(Tag.ESI_PORT, self.notice_port),
                number(Tag.SCN_PORT, self.notice_port),
            ]
        for node in self.nodes:
            attributes += self._of(node)
        return Message(
            Function.DEVICE_ATTRIBUTE_REGISTRATION,
            transaction,
            tuple(attributes),
            Flag.CLIENT | Flag.REPLACE,
        )

    def _of(self, node: Node) -> list[Attribute]:
        found = [text(Tag.ISCSI_NAME, node.name), number(Tag.ISCSI_NODE_TYPE, NODE_TARGET)]
        if node.alias:
            found.append(text(Tag.ISCSI_ALIAS, node.alias))
        # By default every portal leads to every node with tag 1: each of ours is said.
        for host, port, tag in node.groups:
            found += [
                address(Tag.PG_PORTAL_IP_ADDRESS, host),
                number(Tag.PG_PORTAL_PORT, port),
                number(Tag.PG_TAG, tag),
            ]
        return found

    def ask_for_notices(self, node: Node, transaction: int) -> Message:
        """Ask to be told of initiators that come and go, as far as ``node`` may know them."""
        name = text(Tag.ISCSI_NAME, node.name)
        return Message(
            Function.SCN_REGISTRATION,
            transaction,
            (name, name, empty(Tag.DELIMITER), number(Tag.ISCSI_SCN_BITMAP, WANTED)),
        )

    def ask_for_itself(self, transaction: int) -> Message:
        """Ask for our own entry: it refreshes the registration, or tells that there is none."""
        return Message(
            Function.DEVICE_ATTRIBUTE_QUERY,
            transaction,
            (
                self._source,
                text(Tag.ENTITY_IDENTIFIER, self.identifier),
                empty(Tag.DELIMITER),
                empty(Tag.ENTITY_IDENTIFIER),
                empty(Tag.REGISTRATION_PERIOD),
            ),
        )

    def deregister(self, transaction: int) -> Message:
        """Forget all of us."""
        return Message(
            Function.DEVICE_DEREGISTRATION,
            transaction,
            (
                self._source,
                empty(Tag.DELIMITER),
                text(Tag.ENTITY_IDENTIFIER, self.identifier),
            ),
        )

    @property
    def _source(self) -> Attribute:
        return text(Tag.ISCSI_NAME, self.nodes[0].name)
