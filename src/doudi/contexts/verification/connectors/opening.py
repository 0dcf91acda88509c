"""From connection data to the way it names."""

from __future__ import annotations

from collections.abc import Mapping

from doudi.contexts.verification.connectors.answers import Connector
from doudi.contexts.verification.connectors.database import DatabaseSource
from doudi.contexts.verification.connectors.declared import Connection
from doudi.contexts.verification.connectors.interface import HttpSource
from doudi.contexts.verification.connectors.snapshot import SnapshotSource
from doudi.engine.feeds import FeedSpec
from doudi.engine.verification import Source


def open_connector(source: Source, connection: Connection, specs: Mapping[str, FeedSpec]) -> Connector:
    """The connector of a source; nothing is called yet."""
    spec = specs[source.feed]
    if connection.way == "http":
        return HttpSource(source.code, connection)
    if connection.way == "database":
        return DatabaseSource(source.code, connection, spec)
    return SnapshotSource(source.code, spec, specs)
