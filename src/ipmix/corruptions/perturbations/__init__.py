"""The perturbation sequences of -P."""
