"""A page on this machine to play on: a method's knobs, corruptions by severity, a saved scorecard.

Written on the public names (``import ipmix``), as a program of anybody's would be, and on what ``ipmix augment
--explain`` and ``ipmix report`` draw from. What the tabs show is made by plain functions, which need no Streamlit
(``knobs``, ``versions``, ``corrupted``, ``uploads``, ``scorecards``); ``tabs`` lays it out, ``serving`` serves it.
"""
