"""Hostile programs on the real stack: fork server, referee, candidate. See docs/isolation.md."""
