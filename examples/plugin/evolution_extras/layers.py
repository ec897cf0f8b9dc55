"""An operator on the layers of networks, for offline proposals."""

from dataclasses import replace
from random import Random

from medevonet.mutation.layers import Linear
from medevonet.mutation.network import Network
from medevonet.mutation.operators import Edit, NotApplicableError, Operator

_WIDE = 256


def widen_head(network: Network, rng: Random) -> Edit:
    """A wide hidden layer in place of a narrower one. What no longer fits is refused by the engine."""
    sites = [site for site in network.sites(Linear)[:-1] if site.layer.width not in (None, _WIDE)]
    if not sites:
        raise NotApplicableError
    site = rng.choice(sites)
    child = network.splice(site.path, 1, (replace(site.layer, width=_WIDE),))
    return Edit(child, f"hidden layer: {site.layer.outputs} → {_WIDE}")


WIDER_HEAD = Operator("wider-head", 1.0, widen_head)
