"""Gradient ascent against a model: PGD, AutoAttack, and AugMax's worst mixture.

It knows models as functions of images alone: no data, no training, no scorecard.
"""
