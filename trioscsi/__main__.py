"""``python -m trioscsi`` is the ``trioscsi`` command."""

from __future__ import annotations

from trioscsi.cli import main

main()
