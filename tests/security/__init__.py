"""docs/security.md: each of its sentences is a test here, by subject, and none is missing."""
