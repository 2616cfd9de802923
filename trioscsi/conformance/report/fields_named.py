"""Which fields of a PDU a sentence is about, so that a report can mark them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORDS = {
    r"transfer tag|TTT": ("ttt",),
    r"task tag|another tag|\btag\b": ("itt", "ttt", "referenced_task_tag"),
    r"RefCmdSN": ("ref_cmd_sn",),
    r"\bCmdSN": ("cmd_sn",),
    r"ExpStatSN|acknowledge": ("exp_stat_sn",),
    r"DataSN": ("data_sn",),
    r"offset|beside|order": ("buffer_offset",),
    r"\bLUN\b|unit": ("lun",),
    r"reason": ("reason",),
    r"ISID": ("isid",),
    r"TSIH": ("tsih",),
    r"\bCID\b|another connection": ("cid",),
    r"\bT\b|stage": ("transit", "csg", "nsg"),
    r"\bF\b|F bit": ("final",),
    r"\bC\b|C bit": ("continue_",),
    r"\bI\b|I bit|immediate": ("immediate",),
    r"version": ("version_min", "version_max"),
    r"bytes|length|segment|more data|long": ("data_segment_length",),
    r"function": ("function",),
}


def fields_named(sentence: str) -> frozenset[str]:
    """The names of fields, as classes of PDUs have them."""
    found: set[str] = set()
    for words, fields in _WORDS.items():
        if re.search(words, sentence):
            found.update(fields)
    return frozenset(found)


def in_any(sentences: Iterable[str]) -> frozenset[str]:
    """The same for several sentences."""
    return frozenset().union(*map(fields_named, sentences))
