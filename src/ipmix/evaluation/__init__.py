"""MEASURE: from a model and data to predictions, and from predictions to the scorecard.

It never sees an augmentation: clean, corrupted, perturbed or attacked images go in, figures come out.
"""
