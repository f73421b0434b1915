"""The ``sextant`` command: the same program as the one that ``cargo install`` builds."""

import signal
import sys

from . import _sextant


def main() -> None:
    """Runs the command line and exits with its code."""
    # Python's own handler would only note Ctrl-C for later. The commands handle it themselves, or leave it to
    # the system, which ends them.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_sextant.main(["sextant", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
