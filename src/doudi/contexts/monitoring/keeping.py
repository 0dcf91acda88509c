"""The policy packs that results stand on, kept by the hash of their content, so that a result can be computed again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from doudi.engine.errors import DoudiError
from doudi.engine.packs import Pack, layer_folders, load_pack
from doudi.house.paths import home

_TOP = "top"


def keep_pack(pack: Pack, folder: Path, *, roots: tuple[Path, ...] = ()) -> None:
    """Keep the layers of a pack, once for each content; of two processes that keep the same one wins.

    ``roots`` are the folders in which parents may lie that are no neighbours of ``folder``.
    """
    kept = home().packs / pack.hash
    if (kept / _TOP).exists():
        return
    aside = home().work / f"pack-{pack.hash}-{os.getpid()}"
    shutil.rmtree(aside, ignore_errors=True)
    try:
        for layer in layer_folders(folder, roots):
            shutil.copytree(layer, aside / layer.name)
        (aside / _TOP).write_text(folder.name, encoding="utf-8")
        kept.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            aside.rename(kept)
        except OSError:
            if not (kept / _TOP).exists():  # no other process was first: a disk that is full, say
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def kept_pack(pack_hash: str) -> Pack:
    """The pack of then, from what was kept."""
    return load_pack(kept_folder(pack_hash))


def kept_folder(pack_hash: str) -> Path:
    """The folder of the pack of then, for what a pack declares beside its rules."""
    kept = home().packs / pack_hash
    if not (kept / _TOP).exists():
        raise DoudiError(
            f"那时的政策包（{pack_hash[:12]}）没有保存在 {kept}，请从备份恢复。",
            f"The pack of then ({pack_hash[:12]}) is not kept in {kept}; restore a backup.",
            code="pack_lost",
        )
    return kept / (kept / _TOP).read_text(encoding="utf-8")
