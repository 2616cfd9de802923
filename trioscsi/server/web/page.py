"""Where the live page is served, and what whoever wants to see it has to show."""

from __future__ import annotations

import hmac
from hashlib import sha256
from importlib.util import find_spec
from secrets import token_bytes

import attrs

from trioscsi.errors import UsageError
from trioscsi.server.listener import Address, format_address, is_literal, literal, parse_listen

PORT = 8080
"""Where nothing else is said."""

SHORTEST_TOKEN = 16
"""Characters of a token: shorter ones can be guessed."""

_NEEDED = ("hypercorn", "starlette")


def is_loopback(host: str) -> bool:
    """Whether only this machine can mean this host: a literal address, or ``localhost``."""
    if is_literal(host):
        return literal(host).is_loopback
    return host.lower() in ("localhost", "localhost.")


def _address(listen: str | Address) -> Address:
    return parse_listen(listen, PORT) if isinstance(listen, str) else listen


@attrs.frozen
class LivePage:
    """A page to watch a server with, at ``HOST:PORT``, and the token that opens it.

    Without a token the page is for this machine alone.  The connection is not encrypted: over
    networks that others listen to, put a proxy with TLS in front.  Raises UsageError where the
    page would be open to others, for a token that is easily guessed or that no header can carry,
    and where the packages that serve it are not installed.
    """

    address: Address = attrs.field(converter=_address)
    token: str | None = attrs.field(default=None, repr=False)
    _key: bytes = attrs.field(factory=lambda: token_bytes(32), init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not all(map(find_spec, _NEEDED)):
            raise UsageError(
                "the live page needs packages that are not installed: pip install 'trioscsi[web]'"
            )
        token = self.token
        if token is None:
            if not is_loopback(self.address[0]):
                raise UsageError(
                    f"the page at {format_address(self.address)} would be open to whoever can reach"
                    " it: give it a token (TRIOSCSI_WEB_TOKEN, --web-token-file), or serve it at"
                    " 127.0.0.1"
                )
        elif len(token) < SHORTEST_TOKEN:
            raise UsageError(f"the token of the page has fewer than {SHORTEST_TOKEN} characters")
        elif not token.isascii() or not token.isprintable() or " " in token:
            raise UsageError("the token of the page may have printable ASCII characters only")

    @property
    def open(self) -> bool:
        """Whether no token is asked for."""
        return self.token is None

    @property
    def ticket(self) -> str:
        """What a browser shows instead of the token, for as long as this process runs."""
        return hmac.new(self._key, (self.token or "").encode(), sha256).hexdigest()

    def knows_token(self, shown: str) -> bool:
        """Whether this is the token; takes the same time whatever is shown."""
        return self.token is not None and _same(shown, self.token)

    def knows_ticket(self, shown: str) -> bool:
        """Whether this is a ticket of ours."""
        return self.token is not None and _same(shown, self.ticket)


def _same(shown: str, known: str) -> bool:
    return hmac.compare_digest(sha256(shown.encode()).digest(), sha256(known.encode()).digest())
