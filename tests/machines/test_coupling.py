"""Connections, cleanups and sessions, joined by nothing but the coupling, are never in discord."""

from __future__ import annotations

import attrs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from trioscsi.machines import cleanup, connection, logout, session
from trioscsi.machines.coupling import When, Whom, couplings

FULL_FEATURE = {"LOGGED_IN", "IN_LOGOUT", "LOGOUT_REQUESTED"}


@attrs.define(eq=False)
class Session:
    isid: int
    machine: session.Inputs = attrs.field(factory=session.machine.start)
    connections: list[Connection] = attrs.field(factory=list)
    replaces: Session | None = None


@attrs.define(eq=False)
class Connection:
    session: Session
    replaces: list[Connection]
    machine: connection.Inputs = attrs.field(factory=connection.machine.start)
    logout: logout.Inputs = attrs.field(factory=logout.machine.start)
    cleanup: cleanup.Inputs | None = None
    leaving_session: bool = False

    @property
    def in_login(self):
        return self.machine.state == "IN_LOGIN"

    @property
    def full_feature(self):
        return self.machine.state in FULL_FEATURE

    def replaced(self):
        """The connections whose place this login takes."""
        if self.session.replaces is not None:
            return list(self.session.replaces.connections)
        return self.replaces


def holds(when, of, it):
    others = [other for other in of.connections if other is not it]
    match when:
        case When.ALWAYS:
            return True
        case When.LEADING:
            return of.machine.state in {"FREE", "ACTIVE"}
        case When.CONTINUING:
            return of.machine.state in {"FAILED", "IN_CONTINUE"}
        case When.LAST_ATTEMPT:
            return of.machine.state == "IN_CONTINUE" and not any(o.in_login for o in others)
        case When.LAST:
            return not any(other.full_feature for other in others)
        case When.LAST_AND_CLEAN:
            return not others
        case When.SESSION_LOGOUT:
            return it.leaving_session


def any_in(*states):
    return precondition(lambda self: any(it.machine.state in states for it in self.connections))


room = precondition(lambda self: len(self.connections) < 5)


class Node(RuleBasedStateMachine):
    """A target that does what the machines say and knows nothing else."""

    def __init__(self):
        super().__init__()
        self.connections: list[Connection] = []
        self.admitted: dict[int, Session] = {}
        self.sessions: list[Session] = []

    # How a transition is passed on.

    def feed(self, it, machine, cause):
        before = machine.state
        rows = []
        machine.watcher = rows.append
        effects = getattr(machine, cause)()
        machine.watcher = None
        for effect in effects:
            self.do(effect, it)
        assert before == rows[0].source
        if isinstance(it, Connection):
            self.pass_on(it, rows[0])

    def pass_on(self, it, row):
        of = it.session
        for coupling in couplings(row.machine, row.label):
            if holds(coupling.when, of, it):
                for whose in self.owners(coupling.whom, of, it):
                    machine = whose.cleanup if coupling.machine == "cleanup" else whose.machine
                    if machine is not None and machine.hears(coupling.cause):
                        self.feed(whose, machine, coupling.cause)

    def owners(self, whom, of, it):
        match whom:
            case Whom.SESSION:
                return [of]
            case Whom.OTHERS:
                return [other for other in of.connections if other is not it]
            case Whom.REPLACED_SESSION:
                return [of.replaces] if of.replaces is not None else []
            case Whom.REPLACED_CONNECTIONS:
                return [other for other in it.replaced() if other is not it]

    def do(self, effect, it):
        match effect:
            case connection.Effect.CLOSE if it.machine.state == "FREE":
                self.leave(it)
            case connection.Effect.START_CLEANUP:
                it.cleanup = cleanup.machine.start()
            case cleanup.Effect.FREE_CONNECTION:
                it.cleanup = None
                self.leave(it)
            case session.Effect.CREATE_NEXUS:
                assert it.isid not in self.admitted
                self.admitted[it.isid] = it
                it.replaces = None
            case session.Effect.FREE_SESSION:
                if self.admitted.get(it.isid) is it:
                    del self.admitted[it.isid]

    def leave(self, it):
        self.connections.remove(it)
        if it.session is not None:
            it.session.connections.remove(it)

    # What can happen, and to whom.

    def some(self, data, test):
        return data.draw(st.sampled_from([it for it in self.connections if test(it)]))

    def log_in(self, of, replaces=()):
        it = Connection(session=of, replaces=list(replaces))
        self.connections.append(it)
        self.feed(it, it.machine, "transport_connected")
        of.connections.append(it)
        self.feed(it, it.machine, "login_requested")
        assert of.machine.state != "FAILED"
        assert all(old.cleanup.state == "IN_CLEANUP" for old in it.replaced() if old.cleanup)
        return it

    @room
    @rule(isid=st.integers(0, 1))
    def begin_a_session(self, isid):
        of = Session(isid, replaces=self.admitted.get(isid))
        self.sessions.append(of)
        self.log_in(of)

    @room
    @precondition(lambda self: self.admitted)
    @rule(data=st.data())
    def join_a_session(self, data):
        of = data.draw(st.sampled_from(list(self.admitted.values())))
        old = [it for it in of.connections if not it.in_login]
        self.log_in(of, data.draw(st.lists(st.sampled_from(old), max_size=1)) if old else ())

    @any_in("IN_LOGIN")
    @rule(data=st.data(), cause=st.sampled_from(["login_accepted", "login_refused"]))
    def end_a_login(self, data, cause):
        it = self.some(data, lambda it: it.in_login)
        if it.session.machine.state == "ACTIVE":
            it.session.replaces = self.admitted.get(it.session.isid)
        self.feed(it, it.machine, cause)

    @any_in(*FULL_FEATURE, "IN_LOGIN")
    @rule(data=st.data(), cause=st.sampled_from(["transport_lost", "dropped"]))
    def lose_a_connection(self, data, cause):
        it = self.some(data, lambda it: it.machine.hears(cause))
        self.feed(it, it.machine, cause)

    @any_in("LOGGED_IN")
    @rule(data=st.data())
    def ask_for_a_logout(self, data):
        it = self.some(data, lambda it: it.machine.hears("decommissioned"))
        self.feed(it, it.machine, "decommissioned")

    @any_in("LOGGED_IN", "LOGOUT_REQUESTED")
    @rule(data=st.data(), all_of_it=st.booleans())
    def begin_a_logout(self, data, all_of_it):
        it = self.some(data, lambda it: it.machine.hears("logout_received"))
        self.feed(it, it.machine, "logout_received")
        it.leaving_session = all_of_it
        kind = "session" if all_of_it else "connection"
        self.feed(it, it.logout, f"close_{kind}_requested")
        if all_of_it:
            assert not any(other.in_login for other in it.session.connections)

    @any_in("IN_LOGOUT")
    @rule(data=st.data(), well=st.booleans())
    def end_a_logout(self, data, well):
        it = self.some(data, lambda it: it.machine.state == "IN_LOGOUT")
        self.feed(it, it.logout, "commands_ended" if well else "commands_stuck")
        self.feed(it, it.machine, "logout_succeeded" if well else "logout_failed")
        if well and it.leaving_session:
            assert it.session.machine.state == "FREE"

    @precondition(lambda self: any(it.cleanup for it in self.connections))
    @rule(data=st.data())
    def let_a_cleanup_time_out(self, data):
        it = self.some(data, lambda it: it.cleanup)
        if it.cleanup.hears("connection_timed_out"):
            self.feed(it, it.cleanup, "connection_timed_out")

    # What has to be true at any time.

    @invariant()
    def a_session_is_logged_in_exactly_while_a_connection_is_in_full_feature_phase(self):
        for of in self.sessions:
            logged_in = of.machine.state == "LOGGED_IN"
            assert logged_in is any(it.full_feature for it in of.connections)

    @invariant()
    def a_session_is_active_exactly_while_its_first_connection_logs_in(self):
        for of in self.sessions:
            if of.machine.state == "ACTIVE":
                assert [it.machine.state for it in of.connections] == ["IN_LOGIN"]

    @invariant()
    def a_session_that_has_failed_waits_for_something_that_will_end_it(self):
        for of in self.sessions:
            if of.machine.state == "FAILED":
                assert any(it.cleanup or it.in_login for it in of.connections)
            if of.machine.state == "IN_CONTINUE":
                assert any(it.in_login for it in of.connections)

    @invariant()
    def a_session_that_is_free_has_no_connections_and_is_not_known(self):
        for of in self.sessions:
            if of.machine.state == "FREE":
                assert not of.connections
                assert self.admitted.get(of.isid) is not of

    @invariant()
    def a_cleanup_under_way_belongs_to_a_login_under_way(self):
        for it in self.connections:
            if it.cleanup is not None and it.cleanup.state == "IN_CLEANUP":
                assert any(other.in_login and it in other.replaced() for other in self.connections)

    @invariant()
    def a_connection_waits_for_cleanup_exactly_in_cleanup_wait(self):
        for it in self.connections:
            assert (it.machine.state == "CLEANUP_WAIT") is (it.cleanup is not None)


Node.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestMachinesTogether = Node.TestCase


def session_of(node, connections):
    of = Session(0)
    node.sessions.append(of)
    joined = [node.log_in(of) for _ in range(connections)]
    for it in joined:
        node.feed(it, it.machine, "login_accepted")
    return of, joined


def test_a_logout_of_the_session_ends_all_its_connections():
    node = Node()
    of, (leaving, staying, lost) = session_of(node, connections=3)
    joining = node.log_in(of)
    node.feed(lost, lost.machine, "transport_lost")
    leaving.leaving_session = True
    node.feed(leaving, leaving.machine, "logout_received")
    node.feed(leaving, leaving.logout, "close_session_requested")
    assert joining.machine.state == "FREE"
    late = node.log_in(of)
    node.feed(leaving, leaving.logout, "commands_ended")
    assert (staying.machine.state, late.machine.state, lost.cleanup) == ("FREE", "FREE", None)
    node.feed(leaving, leaving.machine, "logout_succeeded")
    assert of.machine.state == "FREE"
    assert not node.connections


def test_a_session_that_only_waits_for_cleanup_has_failed():
    node = Node()
    of, (leaving, lost) = session_of(node, connections=2)
    node.feed(lost, lost.machine, "transport_lost")
    assert of.machine.state == "LOGGED_IN"
    node.feed(leaving, leaving.machine, "logout_received")
    node.feed(leaving, leaving.machine, "logout_succeeded")
    assert of.machine.state == "FAILED"
    node.feed(lost, lost.cleanup, "connection_timed_out")
    assert of.machine.state == "FREE"


def test_a_session_that_failed_during_a_login_comes_back_with_it():
    node = Node()
    of, (lost,) = session_of(node, connections=1)
    joining = node.log_in(of)
    node.feed(lost, lost.machine, "transport_lost")
    assert of.machine.state == "FAILED"
    node.feed(joining, joining.machine, "login_accepted")
    assert of.machine.state == "LOGGED_IN"


def test_a_session_whose_last_cleanup_ended_during_a_login_ends_with_that_login():
    node = Node()
    of, (lost,) = session_of(node, connections=1)
    node.feed(lost, lost.machine, "transport_lost")
    joining = node.log_in(of)
    node.feed(lost, lost.cleanup, "connection_timed_out")
    assert of.machine.state == "IN_CONTINUE"
    node.feed(joining, joining.machine, "login_refused")
    assert of.machine.state == "FREE"
