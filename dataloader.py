"""MedMNIST splits in memory, as uint8 arrays that all processes share (``medevonet.data``)."""

from medevonet.data.dataset import Dataset, DatasetConfig, load_datasets

__all__ = ["Dataset", "DatasetConfig", "load_datasets"]
