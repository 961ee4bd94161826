"""What happens when things go wrong: kills, full disks, strangers' files, long loads (docs/reliability.md)."""
