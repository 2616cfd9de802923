"""The numbers of iSNS (RFC 4171)."""

from __future__ import annotations

import enum

RESPONSE = 0x8000
"""What is added to the function of a request in the answer to it (section 5.1.2)."""


class Function(enum.IntEnum):
    """What a message asks for (section 4.1.3)."""

    DEVICE_ATTRIBUTE_REGISTRATION = 0x0001
    DEVICE_ATTRIBUTE_QUERY = 0x0002
    DEVICE_DEREGISTRATION = 0x0004
    SCN_REGISTRATION = 0x0005
    SCN_DEREGISTRATION = 0x0006
    STATE_CHANGE_NOTIFICATION = 0x0008
    ENTITY_STATUS_INQUIRY = 0x000D


class Flag(enum.IntFlag):
    """Bits of a header, counted from the left as the RFC does (section 5.1.4)."""

    CLIENT = 1 << 15
    SERVER = 1 << 14
    AUTHENTICATED = 1 << 13
    REPLACE = 1 << 12
    LAST = 1 << 11
    FIRST = 1 << 10


class Status(enum.IntEnum):
    """What became of a request (section 5.4)."""

    SUCCESSFUL = 0
    UNKNOWN_ERROR = 1
    MESSAGE_FORMAT_ERROR = 2
    INVALID_REGISTRATION = 3
    INVALID_QUERY = 5
    SOURCE_UNKNOWN = 6
    SOURCE_ABSENT = 7
    SOURCE_UNAUTHORIZED = 8
    NO_SUCH_ENTRY = 9
    VERSION_NOT_SUPPORTED = 10
    INTERNAL_ERROR = 11
    BUSY = 12
    OPTION_NOT_UNDERSTOOD = 13
    INVALID_UPDATE = 14
    MESSAGE_NOT_SUPPORTED = 15
    SCN_EVENT_REJECTED = 16
    SCN_REGISTRATION_REJECTED = 17
    ATTRIBUTE_NOT_IMPLEMENTED = 18
    ESI_NOT_AVAILABLE = 21
    INVALID_DEREGISTRATION = 22
    REGISTRATION_FEATURE_NOT_SUPPORTED = 23


class Tag(enum.IntEnum):
    """What an attribute is (section 6.1)."""

    DELIMITER = 0
    ENTITY_IDENTIFIER = 1
    ENTITY_PROTOCOL = 2
    TIMESTAMP = 4
    REGISTRATION_PERIOD = 6
    PORTAL_IP_ADDRESS = 16
    PORTAL_PORT = 17
    ESI_INTERVAL = 19
    ESI_PORT = 20
    SCN_PORT = 23
    ISCSI_NAME = 32
    ISCSI_NODE_TYPE = 33
    ISCSI_ALIAS = 34
    ISCSI_SCN_BITMAP = 35
    PG_ISCSI_NAME = 48
    PG_PORTAL_IP_ADDRESS = 49
    PG_PORTAL_PORT = 50
    PG_TAG = 51


class Change(enum.IntFlag):
    """What a state change notification is about, or is wanted for (section 6.4.4)."""

    INITIATOR_AND_SELF_ONLY = 0x80
    TARGET_AND_SELF_ONLY = 0x40
    MANAGEMENT = 0x20
    OBJECT_REMOVED = 0x10
    OBJECT_ADDED = 0x08
    OBJECT_UPDATED = 0x04
    MEMBER_REMOVED = 0x02
    MEMBER_ADDED = 0x01


PROTOCOL_ISCSI = 2
"""The entity protocol (section 6.2.2)."""

NODE_TARGET = 0x1
NODE_INITIATOR = 0x2
"""iSCSI node types (section 6.4.2)."""

PORT = 3205
"""Where iSNS servers listen."""
