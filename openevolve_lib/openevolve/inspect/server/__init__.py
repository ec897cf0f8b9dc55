"""All runs of a folder, live, for a browser. Needs the extra ``ui``."""
