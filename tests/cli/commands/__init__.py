"""Tests of the commands (a package, so that a file may be called like one a folder up)."""
