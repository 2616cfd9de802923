"""Seeing the protocol.

General layout:

- ``diagrams``: machines drawn, by ``picture`` with ``layout``, ``layers`` and ``arrows``;
- ``header``: PDUs drawn; ``fields``: their fields with what they mean (``meanings``) and what is
  wrong; ``negotiated``: text keys; ``commands``: CDBs and sense data;
- ``onlooker``: the connections of a capture, ``splitting``: their PDUs;
- ``story``: what happens in a capture; ``summary``: a PDU in one line; ``explanation``: all of that
  as lines of text; ``sequence``: a session as a picture, of its ``rungs``;
- ``live``: connections as a feed of messages, while they go on;
- ``refusals``: what was refused and by which of the ``broken_rules``; ``explainer`` tells of it;
- ``telling``: connections as lines to read, while they go on;
- ``opcodes``: the commands of a disk as a page.
"""
