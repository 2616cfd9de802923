"""What a run has found, in every form in which somebody wants to read it."""

from __future__ import annotations

from trioscsi.conformance.report.report import Report

__all__ = ["Report"]
