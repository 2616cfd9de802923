"""A login and a logout, transition by transition, under the labels of RFC 7143 chapter 8.

    python examples/watch_login.py

The protocol needs no network: here both sides are in one process, and what one says is handed to
the other. Whatever machine takes a transition tells the watcher.
"""

from trioscsi.limits import Limits
from trioscsi.machines import MACHINES
from trioscsi.pdu import LoginRequest, LogoutRequest, encode
from trioscsi.protocol import EVERYTHING, Node, TargetConnection
from trioscsi.text import Offer

NAMES = b"InitiatorName=iqn.2025-12.local:me\0TargetName=iqn.2025-12.local:disk\0"


class Door:
    """Lets everybody in to one target."""

    portal_group = 1

    def __init__(self, node):
        self._node = node

    def node(self, initiator_name, target_name):
        return self._node

    def view(self, initiator_name, target_name):
        return EVERYTHING

    def proven(self, initiator_name, target_name):
        pass

    def targets(self, initiator_name):
        return []


def show(transition):
    machine = MACHINES[transition.machine]
    state = next(state for state in machine.states if state.name == transition.target)
    print(f"\n    {machine.name} {transition.label}: {transition.source} -> {transition.target}")
    print(f"        cause: {transition.cause}. {machine.inputs[transition.cause]}")
    print(f"        state: {state.sentence}")


def say(connection, title, pdu):
    print(f"\nThe initiator sends a {type(pdu).__name__}: {title}")
    connection.receive(b"".join(encode(pdu)))
    connection.pump(now=0, pdus=1)
    connection.take_output()  # the answer, which nobody reads here


def main():
    node = Node("iqn.2025-12.local:disk", Offer(), watcher=show)
    print("The transport connection is made")
    connection = TargetConnection(Door(node), Limits(), now=0, watcher=show)
    say(
        connection,
        "who I am, and that I need no authentication",
        LoginRequest(transit=True, csg=0, nsg=1, data=NAMES + b"AuthMethod=None\0"),
    )
    say(
        connection,
        "how I want to talk",
        LoginRequest(transit=True, csg=1, nsg=3, data=b"MaxBurstLength=65536\0"),
    )
    say(connection, "the session is over", LogoutRequest(immediate=True, itt=1))


if __name__ == "__main__":
    main()
