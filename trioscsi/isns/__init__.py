"""The Internet Storage Name Service, as its clients speak it (RFC 4171); no I/O, no clock.

- ``codes``: numbers; ``message``: bytes to values and back; ``registration``: what we say.
"""

from trioscsi.isns.codes import PORT, Change, Flag, Function, Status, Tag
from trioscsi.isns.message import Message, Reader, decode_number, decode_text
from trioscsi.isns.registration import Entity, Node

__all__ = [
    "PORT",
    "Change",
    "Entity",
    "Flag",
    "Function",
    "Message",
    "Node",
    "Reader",
    "Status",
    "Tag",
    "decode_number",
    "decode_text",
]
