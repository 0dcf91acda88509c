"""The office's own things: its state folder, its keys, its settings, and model fields that are sealed at rest.

In come environment variables and ``DOUDI_HOME``; out come paths, sealed bytes and Django's settings.
It knows nothing of people, rules or cases.
"""
