"""What Streamlit runs for every visitor and every change."""

from ipmix.explore.tabs import show

show()
