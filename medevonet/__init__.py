"""What the flat files are made of: one room a subject, named by it."""
