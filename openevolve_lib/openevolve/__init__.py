"""An evolution engine: programs are proposed, evaluated and kept in a MAP-Elites archive.

Follow one iteration through the rooms: ``selection`` chooses parents from the ``database``, a
``proposer`` writes a child, an executor (``process_parallel``) has it evaluated in a process of
its own, and the ``controller`` commits the outcome, after the ``journal`` has it.
"""
