"""Third-party copies: a unit reads and writes in place of the initiator (SPC-4 section 5.17).

- ``extended``: EXTENDED COPY; its ``parameters``, ``descriptors`` and ``segments``;
- ``offload``: POPULATE TOKEN and WRITE USING TOKEN; ``token``: what passes between them;
- ``results``: how a copy stands; ``operation``: the record of each, by list identifier;
- ``runner``: what all copies have in common; ``mover``: bytes from unit to unit;
- ``bounds``: all that is limited; ``page``: the VPD page that says so.
"""
