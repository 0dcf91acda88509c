"""Work in hand for every room of the demonstration, in the order of the loop."""

from doudi.cli.seeds import care, dining, giving, kitchen, linkage, payroll, trust, window

ROOMS = (window, payroll, linkage, giving, care, dining, kitchen, trust)

__all__ = ["ROOMS"]
