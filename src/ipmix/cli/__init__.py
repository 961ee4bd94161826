"""The command line: finds the command, turns words into settings, and errors into one clear line.

Commands decide what is their own and hand on; nothing imports this package.
"""
