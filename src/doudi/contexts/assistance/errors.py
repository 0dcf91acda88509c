"""Refusals that several parts of assistance share."""

from __future__ import annotations

from doudi.engine.errors import DoudiError


class StepRefused(DoudiError):
    """The step does not fit, or something it needs is missing."""

    code = "step_refused"
