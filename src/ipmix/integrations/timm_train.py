"""timm's train script as it is, with our names for ``--aa``.

    python -m ipmix.integrations.timm_train [--mixing-set PATH] TRAIN_SCRIPT ARGS
    torchrun -m ipmix.integrations.timm_train train.py DATA --aa ipmix-m3-k3-t3 --aug-splits 3 --jsd-loss

timm's package has no train script: TRAIN_SCRIPT is that of its repository.
"""

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from ipmix.core.errors import InputError

USAGE = "usage: python -m ipmix.integrations.timm_train [--mixing-set PATH] TRAIN_SCRIPT ARGS"


def main(words: Sequence[str]) -> None:
    """Make the names known, then run the script with the rest of the words.

    Raises:
        InputError: no script, or a mixing set that can't be opened.
    """
    words = list(words)
    mixing_set = None
    if words[:1] == ["--mixing-set"]:
        mixing_set, words = (words[1] if len(words) > 1 else None), words[2:]
    if not words or words[0].startswith("-"):
        raise InputError(f"{USAGE}; got {' '.join(words) or 'nothing'}")
    script = Path(words[0])
    if not script.is_file():
        raise InputError(f"there is no train script {script}: give the path of train.py of timm's repository; {USAGE}")
    from ipmix.integrations.timm import register
    from ipmix.mixing_set import MixingSet

    register(None if mixing_set is None else MixingSet.folder(mixing_set))
    sys.argv = words
    sys.path.insert(0, str(script.resolve().parent))  # as Python does for a script that it is given
    runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InputError as error:
        sys.exit(f"ipmix: {error}")
    except ModuleNotFoundError as error:
        if error.name != "timm":
            raise
        sys.exit(f"ipmix: {error}")
