"""Where an office keeps its state: one folder, ``DOUDI_HOME`` (default ``./var``)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """The state folder and what lies where in it."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "doudi.sqlite3"

    @property
    def keys(self) -> Path:
        """The key ring lies outside the database and, where ``DOUDI_KEYS`` says so, on another disk."""
        override = os.environ.get("DOUDI_KEYS", "").strip()
        return Path(override) if override else self.root / "keys"

    @property
    def originals(self) -> Path:
        """Department files as they came, sealed."""
        return self.root / "originals"

    @property
    def snapshots(self) -> Path:
        """Resolved registers and feeds (Parquet, no plain identity)."""
        return self.root / "snapshots"

    @property
    def returns(self) -> Path:
        """Quarantine workbooks to send back, sealed."""
        return self.root / "returns"

    @property
    def evidence(self) -> Path:
        """Papers, photographs and signatures that checks and visits stand on, sealed."""
        return self.root / "evidence"

    @property
    def results(self) -> Path:
        """Screening results, one folder per run."""
        return self.root / "results"

    @property
    def packs(self) -> Path:
        """The policy packs that results stand on, by the hash of their content."""
        return self.root / "packs"

    @property
    def exports(self) -> Path:
        """Workbooks of lists that were asked for, sealed."""
        return self.root / "exports"

    @property
    def layers(self) -> Path:
        """Approved changes of the pack's numbers, as layers by the digest of what was approved; made again at need."""
        return self.root / "layers"

    @property
    def static(self) -> Path:
        return self.root / "static"

    @property
    def work(self) -> Path:
        """Half-done files; whatever lies here when no job runs may be removed."""
        return self.root / "work"

    def create(self) -> None:
        """Make the folders; the state is for the office's account alone."""
        for folder in (
            self.root, self.originals, self.snapshots, self.returns, self.results, self.evidence, self.work, self.static,
        ):  # fmt: skip
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def home() -> Home:
    """The state folder of this process."""
    return Home(Path(os.environ.get("DOUDI_HOME", "").strip() or "var").absolute())
