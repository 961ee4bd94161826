"""One module a command, each a plain annotated function named like its module; loaded when it is asked for."""
