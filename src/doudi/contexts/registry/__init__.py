"""The low-income registry (低收入人口库): regions, people, households, and the department files they are known from.

In come department files; out come dated facts and the snapshots in force on a date. It judges nobody: which category
fits a household is the screen's question, and what to do about it the cases'.
"""
