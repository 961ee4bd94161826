"""One module per command: a plain annotated function that the command line calls; loaded when asked for."""
