"""Painting only: iterated function systems, escape-time fractals and flames, each a function of a seed and an index.

It knows nothing of sets, files or folders.
"""
