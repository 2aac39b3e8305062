"""The cases that others get wrong: one table of truth, others and ours. See docs/explanation."""
