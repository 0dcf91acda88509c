"""doudi (兜底): the safety net's working system for counties, cities and provinces."""

__version__ = "0.1.0"
