"""Who may use a unit (SPC-4 section 5.12; SPC-2).

- ``persistent_in``, ``persistent_out``: the commands, and what the latter is told:
  ``persistent_order``; ``transport_id``: how it names initiators;
- ``reserve``: RESERVE and RELEASE, which are older;
- ``registrations``: the rules, as values; ``state``: what holds for a unit.
"""
