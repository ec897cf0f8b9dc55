"""The evaluator of research-problem folders; alone in its folder, which evaluations may read."""
