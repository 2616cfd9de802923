"""The machines of the initiator's side, where the RFC gives it other rows than the target's.

Cleanup (section 8.2) is the same machine on both sides: `trioscsi.machines.cleanup`.
"""
