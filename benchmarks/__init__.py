"""Speed, memory and how cost grows: ``python -m benchmarks``. The README here is the contract."""
