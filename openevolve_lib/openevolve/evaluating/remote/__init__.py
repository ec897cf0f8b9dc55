"""Measurements elsewhere: what is sent, what comes back, and how both are checked.

The driver decides what is measured next and alone writes the journal. A worker gets an ``Order``, plain data,
and answers with a ``Result``, plain data too. In between it may ask whether to go on after a rung.

``messages`` holds the records, ``sources`` the identity of the code that measures, ``carrying`` the core that
every kind of worker has, ``folder`` and ``pulse`` what a shared folder is used for, ``worker`` the loop of
``openevolve worker``. The executors themselves stand one room above.
"""
