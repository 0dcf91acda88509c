"""One file from which an office can be put back (备份、恢复): database, state folder and keys, encrypted and checked.

In comes a state folder that people go on working in; out comes a sealed file, and from it the same office in an empty
folder. It never changes an office that is there, and never leaves half of one.
"""

from doudi.house.backup.container import BackupBroken
from doudi.house.backup.making import LAST, Made, make_backup
from doudi.house.backup.restoring import (
    Restored,
    check_backup,
    lock_of,
    newest,
    refuse_half_restored,
    restore_backup,
)
from doudi.house.backup.unlocking import KeyGiven, find_key, ready_key

__all__ = [
    "LAST",
    "BackupBroken",
    "KeyGiven",
    "Made",
    "Restored",
    "check_backup",
    "find_key",
    "lock_of",
    "make_backup",
    "newest",
    "ready_key",
    "refuse_half_restored",
    "restore_backup",
]
