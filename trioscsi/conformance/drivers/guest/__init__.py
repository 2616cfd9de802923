"""Whole machines as initiators: a Linux with open-iscsi, and programs that have to be there."""

from __future__ import annotations
