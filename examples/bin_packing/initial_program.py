"""Pack items into bins as they come in: into which open bin does the next one go?"""

import math


# EVOLVE-BLOCK-START
def priority(item: float, room: float) -> float:
    """How much an item should go into a bin with so much room; sizes are shares of a bin's capacity."""
    left = room - item
    snug = 0.5 * math.exp(-left / 0.4)
    roomy = 1.5 * left**1.2
    return snug + roomy


# EVOLVE-BLOCK-END
