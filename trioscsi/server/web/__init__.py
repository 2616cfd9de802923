"""The live page of a server: what happens, drawn while it happens, for a browser.

General layout:

- ``page``: where it is, and the token that opens it; ``guard``: who may ask for what;
- ``app``: what can be asked for; ``news``: the feed of the server as a stream of events;
- ``overview``: the server as plain values; ``metrics``: what it has counted, for Prometheus;
- ``files``: those of ``static``, the page itself, without anything from elsewhere;
- ``serving``: HTTP, in a way that no browser can hold the server up.

All but ``page`` needs the packages of ``trioscsi[web]``.
"""
