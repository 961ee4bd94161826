"""Pictures from seeds: iterated function systems, escape-time fractals, flames and feature images."""
