"""Preloaded into a fork server, leaves it no room for another process, whoever runs it."""

import os
import resource

_NOBODY = 65534

resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
if os.getuid() == 0:  # whom the limit does not hold
    os.setuid(_NOBODY)
