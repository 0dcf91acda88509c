"""How a source is asked without a file between (直连): its HTTP interface, its database's view, loaded department files.

In come questions that passed the gate and the connection data of this office; out come answers in the source's own
columns, as text. It never decides what may be asked, and never takes silence for 查无.
"""

from doudi.contexts.verification.connectors.answers import (
    Answered,
    Asked,
    Connector,
    SourceLied,
    SourceUnavailable,
    Told,
)
from doudi.contexts.verification.connectors.declared import (
    Connection,
    ConnectorsInvalid,
    Peer,
    connection_of,
    connections,
    keep_secret,
    peers,
    secret_of,
)
from doudi.contexts.verification.connectors.opening import open_connector
from doudi.contexts.verification.connectors.snapshot import answers_of

__all__ = [
    "Answered",
    "Asked",
    "Connection",
    "Connector",
    "ConnectorsInvalid",
    "Peer",
    "SourceLied",
    "SourceUnavailable",
    "Told",
    "answers_of",
    "connection_of",
    "connections",
    "keep_secret",
    "open_connector",
    "peers",
    "secret_of",
]
