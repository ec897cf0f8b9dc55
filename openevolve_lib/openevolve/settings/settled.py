"""Settings that do not change, in words for those who used to assign them."""

from typing import Any

from pydantic import BaseModel


class Settled(BaseModel):
    """A model whose fields are given when it is made."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Raises AttributeError for a field."""
        if name in type(self).model_fields:
            raise AttributeError(
                f"{name}: settings do not change once they are made; expected them as arguments, such as "
                f"{type(self).__name__}({name}=...), or load_config(path, ['max_iterations=10', ...])"
            )
        super().__setattr__(name, value)
