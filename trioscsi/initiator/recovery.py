"""When an initiator logs in anew, and when it does not any more (RFC 7143 sections 7.5 and 7.15).

No I/O and no clock: the driver says what has happened and what time it is, logs in when ``due`` has
come, and stops when ``down`` says why.
"""

from __future__ import annotations

import attrs
from attrs.validators import ge

from trioscsi.initiator.rules import Rule, Rules
from trioscsi.machines._automat import Effects, Watcher
from trioscsi.machines.initiator import recovery as machine
from trioscsi.machines.initiator.recovery import Effect

_INITIATOR_ERROR = 2
"""The status class of what should not be tried again (section 11.13.5)."""


@attrs.frozen(kw_only=True)
class Policy:
    """How a session that has failed is brought back; times in seconds."""

    patience: float = attrs.field(default=120.0, validator=ge(0))
    """From the failure to giving up."""
    delay: float = attrs.field(default=1.0, validator=ge(0))
    """Before the second login, if the first has failed; it doubles each time."""
    longest_delay: float = attrs.field(default=30.0, validator=ge(0))
    reissue: bool = True
    """Whether commands that were lost with their session are sent anew, as new tasks."""


class Recovery:
    """One session after the other, until one is closed or none comes any more."""

    def __init__(
        self, policy: Policy, rules: Rules, watcher: Watcher | None = None, *, now: float
    ) -> None:
        self.policy = policy
        self.due: float | None = None
        """When to log in; None: not now."""
        self.down = ""
        """Why no session will come."""
        self.status: int | None = None
        """The status of the last login that failed, if the target gave one."""
        self._rules = rules
        self._machine = machine.machine.start(watcher)
        self._since = self._up_since = now
        self._delay = policy.delay
        self._reason = ""

    @property
    def up(self) -> bool:
        """Whether there is a session."""
        return self._machine.state == machine.UP.name

    def logged_in(self, now: float) -> None:
        """A login has succeeded."""
        self._up_since = now
        if self._machine.hears("logged_in"):
            self._machine.logged_in()

    def session_failed(self, reason: str, wait: float, now: float) -> None:
        """The session is gone; the target wants to be left in peace for ``wait`` seconds."""
        if not self._machine.hears("session_failed"):
            return
        self._reason = reason
        if now - self._up_since > self._delay:
            self._since, self._delay = now, self.policy.delay
        else:
            # A session that does not last is no better than a login that fails.
            wait = max(wait, self._back_off())
        if not self._rules.keep(Rule.RECOVER) or now > self._since + self.policy.patience:
            self._do(self._machine.closed(), now)
        else:
            wait = wait if self._rules.keep(Rule.TIME2WAIT) else 0
            self._do(self._machine.session_failed(), now, wait)

    def login_failed(self, reason: str, status: int | None, now: float) -> None:
        """A login has come to nothing; ``status`` is the target's, if it gave one."""
        if not self._machine.hears("login_failed"):
            return
        self._reason, self.status = reason, status
        final = status is not None and status >> 8 == _INITIATOR_ERROR
        if final and self._rules.keep(Rule.FINAL_REFUSAL):
            self._do(self._machine.login_refused(), now)
        elif now + self._delay > self._since + self.policy.patience:
            self._do(self._machine.patience_over(), now)
        else:
            self._do(self._machine.login_failed(), now, self._back_off())

    def log_in(self) -> None:
        """The driver logs in."""
        self.due = None
        self._machine.wait_over()

    def close(self) -> None:
        """The caller wants no session any more."""
        if self._machine.hears("closed"):
            self._reason = "the session is closed"
            self._do(self._machine.closed(), 0.0)

    def _back_off(self) -> float:
        delay = self._delay
        self._delay = min(2 * delay, self.policy.longest_delay)
        return delay if self._rules.keep(Rule.BACK_OFF) else 0

    def _do(self, effects: Effects, now: float, wait: float = 0) -> None:
        for effect in effects:
            match effect:
                case Effect.WAIT_TIME2WAIT | Effect.BACK_OFF:
                    self.due = now + wait
                case Effect.GIVE_UP:
                    self.due, self.down = None, self._reason
