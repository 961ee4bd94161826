"""STUDIES: the paper's tables as data, and what reproduces them: cells, seeds, scales, results beside the paper's.

``tables/*.yaml`` are the studies. A cell (a row of a table) at a scale with a seed is one training run, measured; its
result is one small JSON file. ``ipmix reproduce`` runs what is missing and prints the paper's table beside ours.
"""
