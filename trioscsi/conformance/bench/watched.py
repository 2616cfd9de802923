"""Faults that no scenario is about: which monitor notices each of them, and in which scenario.

What the mutants of the scenarios themselves show of monitors comes besides.
"""

from __future__ import annotations

from collections.abc import Mapping

WATCHED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "M-03": {"NP-05": ("opcode",)},
    "M-05": {"LG-01": ("padding-not-zero",)},
    "M-06": {"LG-01": ("tag-reserved",), "CN-08": ("tag-reused",)},
    "M-07": {"LG-01": ("login-cmdsn-advances",), "DO-06": ("all-immediate",)},
    "M-09": {"LG-01": ("login-exp-stat-sn",)},
    "M-10": {"CN-01": ("command-no-direction", "command-not-a-write")},
    "M-15": {"DO-06": ("data-twice",)},
    "M-16": {"DO-17": ("r2t-beyond",)},
    "M-18": {"DO-07": ("data-odd",)},
    "M-20": {"DO-06": ("data-task",)},
    "M-23": {"TM-01": ("management-function",)},
    "M-24": {"MC-02": ("abort-elsewhere",)},
    "M-25": {"AS-01": ("logout-talks-on",)},
    "M-26": {"CN-01": ("logout-cid",)},
    "M-27": {"NG-22": ("text-two",), "TX-02": ("text-tag",)},
    "M-28": {
        "LG-01": ("login-t-and-c", "login-stage-reserved"),
        "TX-01": ("text-f-and-c", "text-empty"),
    },
    "M-29": {
        "LG-01": (
            "login-version",
            "login-tag-changes",
            "login-isid-changes",
            "login-cid-changes",
            "login-again",
        )
    },
    "M-30": {"LG-01": ("key-twice",)},
    "M-31": {"LG-01": ("key-of-the-target",), "MC-02": ("second-leading-keys",)},
    "M-32": {
        "LG-01": (
            "key-range",
            "key-level",
            "key-boolean",
            "key-without-name",
            "key-segment",
            "login-no-null",
        ),
        "TX-01": ("text-no-equals",),
        "CH-09": ("chap-decimal", "chap-identifier", "chap-long-challenge"),
    },
    "M-33": {"LG-01": ("key-reserved",)},
    "M-34": {"NG-21": ("key-bursts",)},
    "M-37": {"CN-01": ("snack-at-level-0",)},
    "M-38": {"TM-01": ("reassign-unagreed",)},
    "M-41": {"LG-01": ("login-bad-name", "login-late-name")},
    "M-42": {"DO-04": ("ahs",)},
    "M-43": {"LG-01": ("key-marker",)},
}
"""Mutants by scenario by monitor."""
