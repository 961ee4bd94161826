"""Filters, samplers and affine maps that several corruptions share."""
