"""Faults that a run survives, each brought about for real; benchmarks/faults.py does the same in large."""
