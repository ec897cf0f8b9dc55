"""Three ways to train and score one program, each a command: what benchmarks/evaluation.py times."""
