"""The rules that an initiator keeps, each of which it can be told to break (RFC 7143)."""

from __future__ import annotations

import enum

import attrs

from trioscsi.errors import PeerError
from trioscsi.text import Breach


class Rule(enum.Enum):
    """What an initiator decides by; each member can be switched off."""

    # Logins.
    ONLY_LOGIN_RESPONSES = "Any other PDU than a Login Response ends the login."
    SAME_LOGIN = "A Login Response with another task tag or ISID ends the login."
    OFFERED_VERSION = "A version that was not offered ends the login."
    SAME_STAGE = "A response for another stage than that of its request ends the login."
    ASKED_TRANSIT = "A T bit that was not asked for ends the login."
    NEXT_STAGE = "A move to another stage than was asked for ends the login."
    TRANSIT_OR_CONTINUE = "T and C together end the login."
    ONE_RESPONSE = "A second response to one request ends the login."
    SETTLED_TRANSIT = "Keys that want an answer, with the T bit, end the login."
    REFUSAL_ENDS = "A status class other than 0 ends the login."
    FOLLOW_REDIRECTION = "A redirection is followed."
    SIX_EXCHANGES = "A login is given six exchanges at least."
    DIFFERENT_PORTS = "Two sessions with one target have different ISIDs."
    SAME_PORT = "A session has the ISID of one that is over."
    ONE_PORTAL_GROUP = "All connections of a session lead to one portal group."
    LOGIN_TIME = "A login that does not end in time is given up."

    # Keys.
    KEYS_ONCE = "A key that comes twice in one negotiation ends it."
    NO_RESERVED_PROPOSALS = "A reserved constant that is proposed ends the negotiation."
    KEYS_IN_STAGE = "A key in a stage where it has no place ends the negotiation."
    ADMISSIBLE_VALUES = "An answer that was not offered, or is out of range, ends the negotiation."
    UNDERSTOOD_KEYS = "NotUnderstood for a key of the RFC ends the negotiation."
    PRINTED_BOOLEANS = "A boolean is Yes or No, as it is printed."
    ORDERED_BURSTS = "FirstBurstLength above MaxBurstLength ends the negotiation."
    ANSWER_KEYS = "The keys that the target proposes are answered."

    # CHAP.
    AGREED_METHOD = "A target that rejects all methods is left."
    PROVEN_TARGET = "The login goes on only when the target has proven what it was asked to."
    CHECK_PROOF = "A target that was asked to prove itself has to."
    FRESH_CHALLENGE = "A challenge that comes back is not answered."
    OFFERED_ALGORITHM = "An algorithm that was not offered is not used."
    CHALLENGE_LENGTH = "A challenge of more than 1024 bytes is not answered."
    CHAP_STEPS = "CHAP_A, CHAP_I and CHAP_C come together."
    LONG_SECRETS = "A secret of less than 96 bits is not used without IPsec."

    # Numbers and tags.
    WINDOW = "A command waits while its CmdSN is above MaxCmdSN."
    IMMEDIATE_PASSES = "An immediate request does not wait for the window."
    NEWEST_WINDOW = "A MaxCmdSN below one that has come is ignored."
    CONSISTENT_WINDOW = "A MaxCmdSN below ExpCmdSN - 1 is ignored, and the ExpCmdSN with it."
    STATUS_GAP = "A status that is missing is recovered, or its session is."
    STATUS_ONCE = "A status that comes twice is taken once."
    UNIQUE_TAGS = "No two requests that are under way have the same Initiator Task Tag."
    STRAYS_DISCARDED = "What has a tag that nothing has harms nobody else."
    OWN_CONNECTION = "A PDU about a task of another connection ends the session."

    # Data, both ways.
    IMMEDIATE_DATA = "There is immediate data only where ImmediateData=Yes was agreed."
    INITIAL_R2T = "There is an unsolicited burst only where InitialR2T=No was agreed."
    FIRST_BURST = "Unsolicited data is no longer than FirstBurstLength."
    SEGMENT = "A data segment is no longer than the target's MaxRecvDataSegmentLength."
    R2T_GAP = "A missing R2TSN is recovered, or its session is."
    R2T_ONCE = "An R2T that comes twice is answered once."
    R2T_TAG = "An R2T with the reserved tag ends the session."
    R2T_LENGTH = "An R2T for nothing ends the session."
    R2T_BURST = "An R2T for more than MaxBurstLength ends the session."
    R2T_END = "An R2T for data that the command does not have ends the session."
    SAME_LUN = "An R2T or a Data-In for another unit than its command's ends the session."
    DATA_GAP = "A missing DataSN is recovered, or its session is."
    DATA_ONCE = "Data that come twice are taken once."
    DATA_COUNT = "An ExpDataSN that says that data are missing is believed."
    DATA_ORDER = "Data beside their place end the session, where they have to be in order."
    DATA_END = "Data beyond what the command expects end the session."
    DATA_DIGEST = "Data that their digest does not match are discarded."
    HEADER_DIGEST = "A header that its digest does not match ends its connection."
    ACKNOWLEDGE_DATA = "A Data-In with the A bit is acknowledged above error recovery level 0."
    FINAL_STATUS = "A Data-In with status and without F ends the session."
    ONE_RESIDUAL = "A residual that is both overflow and underflow ends the session."
    SENSE_PRESENT = "CHECK CONDITION without sense data ends the session."
    RESPONSE_CODE = "A command that the target could not carry out has failed, whatever its status."

    # Recovery.
    TIME2WAIT = "After a failure the target is left in peace for Time2Wait."
    BACK_OFF = "After a login that has failed the next waits longer."
    FINAL_REFUSAL = "After status class 2 there is no further login."
    FAILED_IS_LEFT = "A connection that has failed is closed, and nothing is said on it."
    SAME_ISID = "A session that follows another has its ISID."
    NEW_SESSION = "A login that is to reinstate a session has TSIH 0."
    RECOVER = "A session that has failed is brought back."
    ASK_FOR_DATA = "Data and R2Ts that are missing are asked for again, where that was agreed."
    ASK_FOR_STATUSES = "Statuses that are missing are asked for again, where that was agreed."
    HOLD_STATUS = "A status is not acknowledged before all data of its command have come."
    POSTPONE_ACKNOWLEDGMENT = "Data are not acknowledged while some before them are missing."
    RESEGMENTATION = "Data that were cut by another length are asked for by an R-Data SNACK."
    SNACK_TAG = "After an R-Data SNACK only the status that has its tag is believed."
    LOST_DATA_FAIL = "A command whose data were lost has failed, whatever its status."
    RETRY_COMMANDS = "A command that is not acknowledged is sent again with its CmdSN."
    AGREED_CONNECTIONS = "A session has no more connections than were agreed."
    REASSIGN_TASKS = "Commands of a lost connection are reassigned, where that was agreed."
    SAME_CID = "A connection that takes the place of another has its CID."
    ABORT_LATE_COMMANDS = "A command that is not answered in time is aborted."

    # Everything else.
    RESERVED_IGNORED = "Reserved bits are not looked at."
    ANY_PADDING = "What the padding is does not matter."
    WELL_FORMED = "A PDU that contradicts itself ends the session."
    KNOWN_OPCODES = "A PDU that a target does not send ends the session."
    ANSWER_PING = "A NOP-In with a Target Transfer Tag is answered."
    SILENT_PING = "A NOP-In without a Target Transfer Tag is not answered."
    PING_TAGS = "A NOP-In with both tags ends the session."
    PING_LUN = "A ping with a LUN that is none ends the session."
    PING_TIME = "A ping that is not answered in time ends the connection."
    ANSWER_LOGOUT_REQUEST = "Asynchronous event 1 is answered by a logout."
    ANSWER_NEGOTIATION_REQUEST = "Asynchronous event 4 is answered by a Text Request."
    ANSWER_TERMINATION = "Asynchronous event 5 is acknowledged by a NOP-Out."
    TERMINATION_STOPS_DATA = "After asynchronous event 5 no data is sent for its unit's tasks."
    SILENCE_EVERYWHERE = "After a logout of the session nothing new is sent on any connection."
    NOTHING_AFTER_LOGOUT = "After a Logout Request nothing new is sent."
    LOGOUT_CLOSES = "After a Logout Response the connection is closed."
    LOGOUT_FAILURE = "A logout that has failed ends the connection."
    LOGOUT_TIME = "A logout that is not answered in time ends the connection."
    REJECT_ENDS = "A request that is rejected has come to nothing."
    REJECT_OF_PART = "A Reject of a PDU that belongs to a request does not end the request."
    WHOLE_TEXT = "An answer that goes on is asked for to its end."
    FINAL_TEXT = "The transfer tag of a final answer is ignored."
    WHOLE_LIST = "Every record of a list of targets counts, with all addresses that it has."
    ONE_TEXT = "There is one text exchange at a time."
    DEPRECATED_RESET = "Reject reason 0x0b ends the connection."
    PLUGGED_GAPS = "The CmdSN of a command that was rejected is used by another request."
    ABORT_ENDS = "A task that a function has ended is not waited for."
    R2TS_AFTER_ABORT = "Without FastAbort, R2Ts are answered until a function has its response."
    LATE_RESPONSES = "What comes for a task after the function that has ended it is discarded."
    FAST_ABORT_SILENCE = "With FastAbort no data follows the function that ends a task."


_OVERLOOKED = {
    Rule.KEYS_ONCE: Breach.SENT_TWICE,
    Rule.NO_RESERVED_PROPOSALS: Breach.RESERVED,
    Rule.KEYS_IN_STAGE: Breach.OUT_OF_STAGE,
    Rule.ADMISSIBLE_VALUES: Breach.INADMISSIBLE,
    Rule.UNDERSTOOD_KEYS: Breach.NOT_UNDERSTOOD,
    Rule.PRINTED_BOOLEANS: Breach.LOWER_CASE,
    Rule.ORDERED_BURSTS: Breach.BURSTS,
}


@attrs.frozen
class Rules:
    """All rules, less those that an initiator breaks on purpose."""

    broken: frozenset[Rule] = frozenset()

    def keep(self, rule: Rule) -> bool:
        """Whether this initiator keeps a rule, as all do that are not told to break it."""
        return rule not in self.broken

    def without(self, rule: Rule) -> Rules:
        """The same, but for one more rule."""
        return Rules(self.broken | {rule})

    def insist(self, rule: Rule, holds: bool, reason: str, section: str) -> None:
        """Raise PeerError if the target has broken a rule that this initiator looks at."""
        if not holds and rule not in self.broken:
            raise PeerError(reason, section=section)

    @property
    def overlooked(self) -> frozenset[Breach]:
        """What the target may do wrong in a negotiation."""
        return frozenset(_OVERLOOKED[rule] for rule in self.broken if rule in _OVERLOOKED)
