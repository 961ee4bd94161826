"""Test sets on disk: reading the published ones, planning and writing one's own."""
