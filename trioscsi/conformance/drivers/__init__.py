"""How initiators are made to do something: a driver for each kind of them."""

from __future__ import annotations
