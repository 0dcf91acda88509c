"""Why a department's file or a feed's declaration was refused."""

from __future__ import annotations

from doudi.engine.errors import DoudiError


class FeedError(DoudiError):
    """A department's file cannot be taken in as it is."""

    code = "feed_refused"


class FileUnreadable(FeedError):
    """The file is not a workbook, table or Parquet file that can be opened (broken, locked, too large)."""

    code = "file_unreadable"


class HeaderMismatch(FeedError):
    """The header row was not found, or has an unknown or missing column."""

    code = "header_mismatch"


class FeedNotRecognised(FeedError):
    """Nobody can tell which feed the file is."""

    code = "feed_not_recognised"


class DeclarationError(FeedError):
    """A feed's YAML declaration is wrong; the message names file and line."""

    code = "feed_declaration"
