"""The corruptions of -C: the fifteen and the four for validation, one file a family."""
