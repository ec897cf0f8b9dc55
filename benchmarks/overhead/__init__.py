"""The two sides of ``engine_overhead.py``, each run in a process and an environment of its own."""
