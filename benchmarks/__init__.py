"""Benchmarks: one file per claim of the README's performance table, each beside its peer in the same run."""
