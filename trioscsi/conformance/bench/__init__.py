"""The bench: a real target with a stage in front of it, on which scenarios are played.

An initiator connects to the stage.  Each of its connections is a `Link` to a target that is served
behind it: what a scenario does not touch goes through, PDU by PDU, with its numbers put right; so
a scenario says only what is different from what a target does anyway.
"""

from __future__ import annotations
