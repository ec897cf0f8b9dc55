"""Ways of searching that this project names (``openevolve.settings.presets``)."""
