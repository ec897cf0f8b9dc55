"""Place circles in the unit square so that the sum of their radii is large."""

import math

Circle = tuple[float, float, float]


# EVOLVE-BLOCK-START
def pack(n: int) -> list[Circle]:
    """``n`` circles (x, y, radius) around the points of a spiral, each as large as those before it allow."""
    turn, reach, power, share = 2.0, 0.35, 0.6, 0.55
    centres = []
    for k in range(n):
        distance = reach * ((k + 0.3) / n) ** power
        centres.append((0.5 + distance * math.cos(k * turn), 0.5 + distance * math.sin(k * turn)))
    circles: list[Circle] = []
    for k, (x, y) in enumerate(centres):
        placed = [math.dist((x, y), circle[:2]) - circle[2] for circle in circles]
        to_come = [share * math.dist((x, y), centre) for centre in centres[k + 1 :]]
        circles.append((x, y, max(0.0, min(x, y, 1 - x, 1 - y, *placed, *to_come))))
    return circles


# EVOLVE-BLOCK-END
