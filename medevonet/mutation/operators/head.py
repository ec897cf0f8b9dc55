"""Operators on what comes after the convolutions: last pooling, hidden layers, dropout."""

from dataclasses import replace
from random import Random

from ..layers import Activation, AdaptivePool, Dropout, Linear
from ..network import Network, Site, every_layer
from .common import Edit, Operator, choose, scaled

GRIDS = (1, 2, 4, 7)
RATES = (0.1, 0.2, 0.3, 0.4, 0.5)
HIDDEN = (32, 64, 128)
MAX_HIDDEN = 2


def change_grid(network: Network, rng: Random) -> Edit:
    """Fewer or more cells of the last pooling; one cell, global average pooling, comes up most."""
    site = choose(rng, network.sites(AdaptivePool)[-1:])
    others = [grid for grid in GRIDS if grid != site.layer.grid]
    grid = rng.choices(others, weights=[1 / size for size in others])[0]
    child = network.splice(site.path, 1, (replace(site.layer, grid=grid),))
    return Edit(child, f"grid of the last pooling {site.layer.grid} → {grid}")


def resize_hidden(network: Network, rng: Random) -> Edit:
    """Another width of a hidden dense layer."""
    site = choose(rng, _hidden(network))
    old = site.layer.outputs
    new = replace(site.layer, width=scaled(old, rng.choice((0.25, 0.5, 0.75, 1.5, 2.0))))
    return Edit(network.splice(site.path, 1, (new,)), f"hidden layer: {old} → {new.width}")


def add_hidden(network: Network, rng: Random) -> Edit:
    """A hidden dense layer before the last one."""
    last = choose(rng, _last(network) if len(_hidden(network)) < MAX_HIDDEN else [])
    width = rng.choice(HIDDEN)
    activations = [layer for layer in every_layer(network.layers) if isinstance(layer, Activation)]
    new = (Linear(width), *(activations[-1:] or (Activation("ReLU"),)))
    return Edit(network.splice(last.path, 0, new), f"a hidden layer of {width} added")


def remove_hidden(network: Network, rng: Random) -> Edit:
    """A hidden dense layer less, with all up to the next one."""
    site = choose(rng, _hidden(network))
    after = site.siblings[site.index + 1 :]
    length = 1 + next((n for n, layer in enumerate(after) if isinstance(layer, Linear)), len(after))
    return Edit(network.splice(site.path, length, ()), "a hidden layer removed")


def add_dropout(network: Network, rng: Random) -> Edit:
    """Dropout right before the last dense layer."""
    dropped = any(isinstance(layer, Dropout) for layer in network.layers[-2:])
    last, rate = choose(rng, [] if dropped else _last(network)), rng.choice(RATES)
    return Edit(network.splice(last.path, 0, (Dropout(rate),)), f"dropout {rate} before the last layer")


def tune_dropout(network: Network, rng: Random) -> Edit:
    """Another rate of a dropout."""
    site = choose(rng, network.sites(Dropout))
    rate = rng.choice([rate for rate in RATES if rate != site.layer.rate])
    child = network.splice(site.path, 1, (replace(site.layer, rate=rate),))
    return Edit(child, f"dropout {site.layer.rate} → {rate}")


def remove_dropout(network: Network, rng: Random) -> Edit:
    """A dropout less."""
    site = choose(rng, network.sites(Dropout))
    return Edit(network.splice(site.path, 1, ()), f"dropout {site.layer.rate} removed")


def _last(network: Network) -> list[Site[Linear]]:
    """The last layer of the network, if it is dense and others may be put before it."""
    return [site for site in network.sites(Linear)[-1:] if site.layer is network.layers[-1]]


def _hidden(network: Network) -> list[Site[Linear]]:
    return [site for site in network.sites(Linear) if site.layer is not network.layers[-1]]


OPERATORS = (
    Operator("change_grid", 2.5, change_grid),
    Operator("resize_hidden", 1.0, resize_hidden),
    Operator("add_hidden", 0.5, add_hidden),
    Operator("remove_hidden", 1.0, remove_hidden),
    Operator("add_dropout", 1.5, add_dropout),
    Operator("tune_dropout", 0.75, tune_dropout),
    Operator("remove_dropout", 0.5, remove_dropout),
)
