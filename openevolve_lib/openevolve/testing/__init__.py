"""Contract tests: a new strategy inherits the suite of its kind, and is held to what every run relies on.

Needs pytest and hypothesis.
"""
