"""Dynamic monitoring and early warning (动态监测预警): screens, warnings, visits, and how each case ends.

In come a screen's findings and what people did about them; out come warnings to act on and a timeline of each.
A warning is a lead, never a decision: nothing here grants or stops a benefit.
"""
