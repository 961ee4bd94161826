"""MEASURE: ``evaluate`` predicts (a model and data to predictions), scores (to the scorecard) and reports (to a page).

It never sees an augmentation: clean, corrupted, perturbed or attacked images go in, figures come out.
"""
