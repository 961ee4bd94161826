"""REPRODUCE: an experiment as a file: strict settings, training, evaluation, results.

It joins training and evaluation, and leaves words and terminals to ``cli``.
"""
