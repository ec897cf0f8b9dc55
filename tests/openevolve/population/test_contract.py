"""The built-in population keeps the contract that others inherit."""

from openevolve.population.database import Database
from openevolve.testing.populations import PopulationContract


class TestDatabase(PopulationContract):
    population = Database
