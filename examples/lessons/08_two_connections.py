"""Lesson 8: two connections.

    python examples/lessons/08_two_connections.py

A session may have several connections.  Each has its machine, the session has one of its own, and a
table says what a transition of one means to another.  Nothing else is needed to see which
connection matters, and when: neither bytes nor a network.
"""

from classroom import ask, say

from trioscsi.machines import MACHINES
from trioscsi.machines.coupling import When, Whom, couplings

FULL_FEATURE = {"LOGGED_IN", "IN_LOGOUT", "LOGOUT_REQUESTED"}


class Session:
    def __init__(self):
        self.machine = MACHINES["session"].start(lambda row: show("the session", row))
        self.connections = []

    def connect(self, name):
        connection = MACHINES["connection"].start(lambda row: self.moved(name, connection, row))
        self.connections.append(connection)
        for cause in "transport_connected", "login_requested", "login_accepted":
            getattr(connection, cause)()
        return connection

    def moved(self, name, connection, row):
        show(name, row)
        others = [other for other in self.connections if other is not connection]
        true = {
            When.ALWAYS: True,
            When.LEADING: self.machine.state in {"FREE", "ACTIVE"},
            When.LAST: not any(other.state in FULL_FEATURE for other in others),
        }
        for each in couplings("connection", row.label):
            if each.whom is Whom.SESSION and true.get(each.when) and self.machine.hears(each.cause):
                print(f"       section {each.section}, if {each.when.value}:")
                getattr(self.machine, each.cause)()


def show(who, row):
    print(f"  {who}: {row.label} {row.source} -> {row.target} ({row.cause})")


def main():
    say("The first connection brings its session to life: T4 makes N1, T5 makes N2.")
    session = Session()
    first = session.connect("connection 1")
    say("The second one joins it. The session has nothing to say to that.")
    second = session.connect("connection 2")
    say("The first one is lost. The session lives on: the second is in full feature phase.")
    first.transport_lost()
    say("The second one is lost, too. It was the last: N5.")
    second.transport_lost()
    ask(
        "commands of one session may be sent on either connection. Why do they have one CmdSN for "
        "all, and each connection a StatSN of its own? What became of the tasks of connection 1? "
        "(4.2.2, 7.2, 8.3.4)"
    )


if __name__ == "__main__":
    main()
