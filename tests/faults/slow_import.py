"""A module to preload that takes its time, as PyTorch does."""

import time
from pathlib import Path

Path("../importing").touch()
time.sleep(60)
