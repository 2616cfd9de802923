"""What can be said about a key: the vocabulary of RFC 7143 chapter 13."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping


class Side(enum.Enum):
    INITIATOR = "initiator"
    TARGET = "target"

    @property
    def other(self) -> Side:
        return Side.TARGET if self is Side.INITIATOR else Side.INITIATOR


class Stage(enum.IntEnum):
    """Where a text is sent; the numbers are those of CSG and NSG (section 11.12.3)."""

    SECURITY = 0
    OPERATIONAL = 1
    FULL_FEATURE = 3


class SessionType(enum.StrEnum):
    NORMAL = "Normal"
    DISCOVERY = "Discovery"


class Kind(enum.Enum):
    """How the value of a key comes about: the result functions of chapter 13 and the rest."""

    LIST = "list"
    AND = "and"
    OR = "or"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    DECLARATION = "declaration"
    QUERY = "query"
    EXCHANGE = "exchange"
    """A step of an authentication method."""
    OBSOLETE = "obsolete"
    """Answered with Reject, whatever is proposed (section 13.25)."""


class Syntax(enum.Enum):
    """What a value looks like (section 6.1)."""

    BOOLEAN = "boolean"
    NUMBER = "number"
    RANGE = "range"
    TAG = "16-bit binary"
    BINARY = "binary"
    TEXT = "text"
    NAME = "name"
    LOCAL_NAME = "local name"
    ADDRESS = "address"
    SESSION_TYPE = "session type"
    LIST = "list"
    DIGESTS = "list of digests"
    """A list too, but the result is whether there is a digest."""


class Use(enum.Enum):
    """When a key may be sent, by the RFC's abbreviations (chapter 13)."""

    SECURITY = "security"
    INITIALIZE_ONLY = "IO"
    LEADING_ONLY = "LO"
    ALL = "ALL"
    FULL_FEATURE_PHASE_ONLY = "FFPO"


class Scope(enum.Enum):
    CONNECTION = "CO"
    SESSION = "SW"


class Irrelevance(enum.Enum):
    """What makes a key irrelevant."""

    DISCOVERY = "discovery"
    NO_UNSOLICITED_DATA = "no unsolicited data"
    """InitialR2T=Yes and ImmediateData=No."""


STAGES: Mapping[Use, frozenset[Stage]] = {
    Use.SECURITY: frozenset({Stage.SECURITY}),
    Use.INITIALIZE_ONLY: frozenset({Stage.OPERATIONAL}),
    Use.LEADING_ONLY: frozenset({Stage.OPERATIONAL}),
    Use.ALL: frozenset({Stage.OPERATIONAL, Stage.FULL_FEATURE}),
    Use.FULL_FEATURE_PHASE_ONLY: frozenset({Stage.FULL_FEATURE}),
}


@attrs.frozen(kw_only=True)
class Key:
    """What the RFCs say about one key."""

    name: str
    kind: Kind
    syntax: Syntax
    use: Use
    any_stage: bool = False
    scope: Scope
    senders: frozenset[Side] = frozenset(Side)
    default: str | None = None
    minimum: int = 0
    """The lowest number."""
    maximum: int = 0
    """The highest number; for a binary value, its most bytes."""
    irrelevant: frozenset[Irrelevance] = frozenset()
    depends: bool = False
    """What this side accepts depends on the results of other keys."""
    repeatable: bool = False
    """May be declared several times in one negotiation."""
    parameter: str | None = None
    """The attribute of ``Parameters`` that it sets; ``{sender}`` stands for who declares it."""
    offer: str | None = attrs.field(
        default=attrs.Factory(lambda key: key.parameter, takes_self=True)
    )
    """The attribute of ``Offer`` that holds what this side wants; None: it never sends the key."""
    section: str
    section_3720: str | None = None

    @property
    def stages(self) -> frozenset[Stage]:
        """The stages in which it may be sent."""
        return STAGES[self.use] | ({Stage.SECURITY} if self.any_stage else frozenset())

    @property
    def newer(self) -> bool:
        """Whether a peer may not know it: it came after RFC 3720.

        Section 6.2 forbids NotUnderstood as the answer to any key of RFC 7143, but sections
        4.2.2.3.4 and 13.26.2 expect it for these.
        """
        return self.section_3720 is None
