"""``python -m ipmix``: the command line."""

import sys

from ipmix.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
