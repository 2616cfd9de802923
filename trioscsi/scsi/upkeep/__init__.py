"""How the medium is made anew, and how a unit is tested and serviced.

- ``formatting`` and ``sanitize``, with what is common to them: ``overhaul``;
- ``self_test``, ``diagnostics``: whether all is well; ``history``: what was not;
- ``buffers``: memory to try the way with; ``background``: when storage may look after itself.
"""
