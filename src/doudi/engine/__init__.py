"""The calculating half of doudi: packs, feeds, screening, siting, routing, matching.

In come files, packs and values; out come values and files. The engine never sees Django, a user or HTTP;
the clock, the keys and the folders are handed to it.
"""
