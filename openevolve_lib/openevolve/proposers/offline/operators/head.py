"""Operators on what comes after the convolutions: last pooling, hidden layers, dropout."""

from dataclasses import replace
from random import Random

from ..layers import Activation, AdaptivePool, Dropout, Linear
from ..network import Network, Site
from .common import Edit, NotApplicableError, Operator, choose, scaled

GRIDS = (1, 2, 4, 7)
RATES = (0.1, 0.2, 0.3, 0.4, 0.5)
HIDDEN = (32, 64, 128)


def change_grid(network: Network, rng: Random) -> Edit:
    """Fewer or more cells of the last pooling; one cell, global average pooling, comes up most."""
    sites = network.sites(AdaptivePool)
    site = sites[-1]
    others = [grid for grid in GRIDS if grid != site.layer.grid]
    grid = rng.choices(others, weights=[1 / size for size in others])[0]
    child = network.splice(site.path, 1, (replace(site.layer, grid=grid),))
    return Edit(child, f"grid of the last pooling {site.layer.grid} → {grid}")


def resize_hidden(network: Network, rng: Random) -> Edit:
    """Another width of a hidden dense layer."""
    sites = _hidden(network)
    site = choose(rng, sites)
    old = site.layer.outputs
    new = replace(site.layer, width=scaled(old, rng.choice((0.25, 0.5, 0.75, 1.5, 2.0))))
    return Edit(network.splice(site.path, 1, (new,)), f"hidden layer: {old} → {new.width}")


def add_hidden(network: Network, rng: Random) -> Edit:
    """A hidden dense layer before the last one."""
    last = _last(network)
    if last is None or len(_hidden(network)) > 1:
        return None
    activations = [site.layer for site in network.sites(Activation)]
    new = Linear(rng.choice(HIDDEN)), activations[-1] if activations else Activation("ReLU")
    return Edit(network.splice(last.path, 0, new), f"a hidden layer of {new[0].width} added")


def remove_hidden(network: Network, rng: Random) -> Edit:
    """A hidden dense layer less, with all up to the next one."""
    sites = _hidden(network)
    site = choose(rng, sites)
    after = site.siblings[site.index + 1 :]
    length = 1 + next((n for n, layer in enumerate(after) if isinstance(layer, Linear)), len(after))
    return Edit(network.splice(site.path, length, ()), "a hidden layer removed")


def add_dropout(network: Network, rng: Random) -> Edit:
    """Dropout right before the last dense layer."""
    last = _last(network)
    if last is None or any(isinstance(layer, Dropout) for layer in network.layers[-2:]):
        return None
    rate = rng.choice(RATES)
    return Edit(network.splice(last.path, 0, (Dropout(rate),)), f"dropout {rate} before the last layer")


def tune_dropout(network: Network, rng: Random) -> Edit:
    """Another rate of a dropout."""
    sites = network.sites(Dropout)
    site = choose(rng, sites)
    rate = rng.choice([rate for rate in RATES if rate != site.layer.rate])
    child = network.splice(site.path, 1, (replace(site.layer, rate=rate),))
    return Edit(child, f"dropout {site.layer.rate} → {rate}")


def remove_dropout(network: Network, rng: Random) -> Edit:
    """A dropout less."""
    sites = network.sites(Dropout)
    return Edit(network.splice(choose(rng, sites).path, 1, ()), "a dropout removed")


def _last(network: Network) -> Site[Linear] | None:
    """The last layer of the network, if it is dense and may have others put before it."""
    sites = network.sites(Linear)
    return sites[-1] if sites and sites[-1].layer is network.layers[-1] else None


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
