"""Work in hand for every room of the demonstration, in the order of the loop."""

from doudi.cli.seeds import dining, giving, kitchen, linkage, payroll, window

ROOMS = (window, payroll, linkage, giving, dining, kitchen)

__all__ = ["ROOMS"]
