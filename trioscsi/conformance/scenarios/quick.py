"""The scenarios that are enough for every day: some of each group, in less than a minute."""

from __future__ import annotations

QUICK: tuple[str, ...] = (
    *("LG-01", "LG-02", "LG-03", "LG-05", "LG-06", "LG-08", "LG-12", "LG-24", "LG-28", "LG-36"),
    *("NG-01", "NG-02", "NG-06", "NG-16", "NG-18", "NG-20"),
    *("KY-01", "KY-03", "KY-06", "KY-12", "KY-14"),
    *("CH-01", "CH-04", "CH-06", "CH-09", "CH-11"),
    *("CN-01", "CN-04", "CN-06", "ST-01"),
    *("DI-01", "DI-02", "DI-05", "DI-08", "DI-14"),
    *("DO-01", "DO-05", "DO-06", "DO-18", "DO-23"),
    *("RS-01", "RS-03", "RS-04", "RS-08", "RS-09", "RS-10"),
    *("NP-01", "NP-03", "AS-01"),
    *("TX-01", "TX-02", "TX-06", "TX-07", "TX-08"),
    *("LO-01", "LO-03", "RJ-01", "DG-06"),
    *("TM-01", "RC-01", "SN-01", "RA-01", "MC-01", "PL-01"),
)
"""Their ids, in the order of the catalogue."""
