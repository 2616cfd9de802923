"""``python -m trioscsi`` is the ``trioscsi`` command."""

from __future__ import annotations

from trioscsi.cli import main

if __name__ == "__main__":  # and not in a worker process
    main()
