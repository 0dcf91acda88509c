"""The HTTP API: what other systems read and do, as JSON under ``/api/v1`` with its OpenAPI 3.1 description.

In come requests with a session or a key; out go shapes in plain words, or a problem with a code. One router per
context, each operation parses, calls one service or step of the chain, and shows. It holds no rule and asks no database.
"""
