"""The corruptions of C-bar, one file a family."""
