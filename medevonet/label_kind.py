"""The three kinds of labels that a dataset can have."""

from typing import Literal, get_args

LabelKind = Literal["binary", "multi-class", "multi-label"]
LABEL_KINDS: tuple[LabelKind, ...] = get_args(LabelKind)
