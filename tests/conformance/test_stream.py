from __future__ import annotations

from trioscsi.conformance.stream import Closed, Seen, Tap
from trioscsi.pdu import BadDigest, NopIn, NopOut, ScsiCommand, UnknownPdu, encode
from trioscsi.text import Side


def seen(thing, sender=Side.INITIATOR):
    return Seen(3, 0.0, 1, sender, thing)


def raw(pdu):
    return b"".join(map(bytes, encode(pdu)))


def test_a_tap_gives_pdus_with_their_headers_and_padding():
    tap = Tap()
    ping = NopOut(data=b"abcde")
    assert list(tap.receive(raw(ping)[:-1])) == []
    ((pdu, header, padding),) = tap.receive(raw(ping)[-1:])
    assert (pdu, header, padding) == (ping, raw(ping)[:48], bytes(3))


def test_the_end_tells_how_much_padding_was_missing():
    tap = Tap()
    assert list(tap.receive(raw(NopOut(data=b"abcde"))[:-2])) == []
    (pdu, *_), (end, *_) = tap.close()
    assert (pdu, end) == (NopOut(data=b"abcde"), Closed(2))


def test_the_end_says_nothing_of_padding_if_more_is_missing():
    for rest in (0, 10, 48, 52):
        tap = Tap()
        assert list(tap.receive(raw(NopOut(data=b"abcde"))[:rest])) == []
        assert [thing for thing, *_ in tap.close()] == [Closed()]


def test_evidence_has_no_data():
    ping = NopOut(itt=1, data=b"data")
    assert seen(ping).without_data().thing == NopOut(itt=1)
    assert seen(BadDigest(ping)).without_data().thing == NopOut(itt=1)
    assert seen(UnknownPdu(9, b"", b"data")).without_data().thing == UnknownPdu(9, b"", b"")
    assert seen(Closed()).without_data() == seen(Closed())


def test_evidence_says_where_it_was_seen():
    assert str(seen(ScsiCommand())) == "#3, a ScsiCommand of the initiator on connection 1"
    assert str(seen(Closed())) == "#3, a Closed of the initiator on connection 1"


def test_a_pdu_of_the_other_side_is_known_as_such():
    assert seen(NopOut()).has_own_opcode
    assert not seen(NopIn()).has_own_opcode
    assert seen(UnknownPdu(9, b"", b"")).has_own_opcode
