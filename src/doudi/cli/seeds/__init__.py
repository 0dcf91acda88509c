"""Work in hand for every room of the demonstration, in the order of the loop."""

from doudi.cli.seeds import dining, giving, kitchen, linkage, payroll, trust, window

ROOMS = (window, payroll, linkage, giving, dining, kitchen, trust)

__all__ = ["ROOMS"]
