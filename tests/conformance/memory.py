"""A trace that is kept in memory."""

from __future__ import annotations

import io
from collections.abc import Iterable

from trioscsi.pdu import Buffer


class Memory:
    """What is written of a trace."""

    def __init__(self) -> None:
        self.data = io.BytesIO()

    def put(self, pieces: Iterable[Buffer]) -> bool:
        self.data.write(b"".join(map(bytes, pieces)))
        return True

    def close(self) -> None:
        """It is read after its end."""
