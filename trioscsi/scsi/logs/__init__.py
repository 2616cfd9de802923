"""Logs: what a unit has done and found (SPC-4 section 7.3).

- ``commands``: LOG SENSE and LOG SELECT; ``page``: what a log page is; ``pages``: which there are;
- ``counters``: what most of them are made of.
"""
