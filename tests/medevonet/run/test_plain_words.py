"""Whatever stands for whatever setting: what is said of it is in the words of a settings file."""

import math
import re
from typing import Any

import pytest

from medevonet.task import TaskConfig
from openevolve.errors import UserError
from openevolve.settings.files import layered
from openevolve.settings.layers import Layer
from openevolve.settings.models import Config

VALUES: tuple[Any, ...] = (
    "x", "", "1e9999", "a\x00b", -1, 1.5, 10**30, math.nan, math.inf, True, None,
    [1], [[]], [None], [{"a": 1}], [{"name": "m", "weight": "x"}], {"a": 1}, {"name": 3},
)  # fmt: skip
FOREIGN = re.compile(
    r"pydantic|validat|input|\[type|should be|instance|NoneType|<class|\b(dict|tuple|str|int|float|bool)\b|"
    r"literal|callable|Value error",
    re.IGNORECASE,
)


def keys(model: type[Any], prefix: str = "") -> list[str]:
    found = []
    for name, field in model.model_fields.items():
        found.append(prefix + name)
        if hasattr(field.annotation, "model_fields"):
            found += keys(field.annotation, f"{prefix}{name}.")
    return found


KEYS = [*keys(Config), *keys(TaskConfig, "task.")]


@pytest.mark.parametrize("key", KEYS)
def test_a_fault_is_told_in_plain_words(key: str) -> None:
    refused = 0
    for value in VALUES:
        settings: Any = value
        for part in reversed(key.split(".")):
            settings = {part: settings}
        try:
            layered([Layer("settings.yaml", settings)], [], {"task": TaskConfig})
        except UserError as error:
            refused += 1
            for line in str(error).splitlines():
                assert line.startswith("settings.yaml: ")
                assert "expected" in line or "unknown key" in line
                assert not FOREIGN.search(line.replace(key, "")), line
    assert refused  # no setting takes everything
