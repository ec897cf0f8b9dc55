"""Estimate the centre of a sample in which some values are far off."""


# EVOLVE-BLOCK-START
def centre(values: list[float]) -> float:
    """The mean without a share of the smallest and of the largest values."""
    ranked = sorted(values)
    cut = int(0.02 * len(ranked))
    kept = ranked[cut : len(ranked) - cut]
    return sum(kept) / len(kept)


# EVOLVE-BLOCK-END
