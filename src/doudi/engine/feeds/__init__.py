"""Department feeds: from a file somebody sent to rows the screening can count on.

In come declarations, files and a keyed digest; out come checked rows, resolved Parquet files, counts and the sender's
own workbook marked up. It never decides which load is in force, and never keeps a name or an identity number in a
resolved file.
"""

from doudi.engine.feeds.answering import counts
from doudi.engine.feeds.errors import (
    DeclarationError,
    FeedError,
    FeedNotRecognised,
    FileUnreadable,
    HeaderMismatch,
)
from doudi.engine.feeds.reading import recognise
from doudi.engine.feeds.resolving import Grades, RegisterBuild, build_register, resolve_feed
from doudi.engine.feeds.returning import write_quarantine
from doudi.engine.feeds.snapshots import Blinder, SnapshotSet, is_whole_register
from doudi.engine.feeds.spec import ColumnSpec, FeedSpec, load_feed_specs
from doudi.engine.feeds.tables import Source
from doudi.engine.feeds.validating import Fault, ParsedFile, parse_file, parsed_of_rows

__all__ = [
    "Blinder",
    "ColumnSpec",
    "DeclarationError",
    "Fault",
    "FeedError",
    "FeedNotRecognised",
    "FeedSpec",
    "FileUnreadable",
    "Grades",
    "HeaderMismatch",
    "ParsedFile",
    "RegisterBuild",
    "SnapshotSet",
    "Source",
    "build_register",
    "counts",
    "is_whole_register",
    "load_feed_specs",
    "parse_file",
    "parsed_of_rows",
    "recognise",
    "resolve_feed",
    "write_quarantine",
]
