"""Results as something to look at: a self-contained page, tables for the terminal, files for other programs.

It takes scorecards as they are: no models, no images of its own, no scoring.
"""

from ipmix.report.page import Figure, Panel, render_page, write_page
from ipmix.report.tables import comparison, print_comparison

__all__ = ["Figure", "Panel", "comparison", "print_comparison", "render_page", "write_page"]
