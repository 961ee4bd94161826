"""DRAW: what each method does to a picture, as recipes. One file each; METHODS is a plain dict."""

from ipmix.methods.ipmix import IPMix

METHODS = {"ipmix": IPMix}
"""Every method by its name on the command line."""
