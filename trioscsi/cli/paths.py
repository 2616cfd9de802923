"""What a word on the command line may name."""

from __future__ import annotations

from pathlib import Path


def is_there(word: str) -> bool:
    """Whether there is something of this name: a file, or a pipe such as ``<(xxd -p file)``."""
    try:
        return bool(word) and Path(word).exists()
    except OSError:  # no file has so long a name
        return False
