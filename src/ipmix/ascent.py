"""The public door to the attacks: :func:`pgd` and AugMax's :func:`worst_mixture`."""

from ipmix.attacks.pgd import pgd
from ipmix.attacks.worst_mixture import mixture, worst_mixture

__all__ = ["mixture", "pgd", "worst_mixture"]
