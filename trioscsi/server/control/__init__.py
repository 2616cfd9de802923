"""The control socket: requests and a live feed as JSON lines, for whoever may (specs/control.md).

General layout:

- ``door``: a Unix socket that nobody else can open;
- ``requests``: lines taken apart, and what may be asked for;
- ``caller``: one of those who ask; ``control``: all of them;
- ``client``: the other side, for programs that wait by themselves.
"""

from __future__ import annotations

from trioscsi.server.control.control import Control

__all__ = ["Control"]
