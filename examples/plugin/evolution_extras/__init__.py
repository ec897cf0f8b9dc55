"""One plug-in of each kind; ``pyproject.toml`` says under which names they are found."""
