"""``python -m ipmix``: the command line."""

import sys

from ipmix.cli.launching import end_with_starter
from ipmix.cli.main import main

if __name__ == "__main__":
    end_with_starter()
    sys.exit(main())
