"""The remembering half of doudi: one Django app for each thing an office does.

Each owns its models and its services; it may call the services of a context below it and never its models.
"""
