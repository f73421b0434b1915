"""Progress of long calls, in terminals and notebooks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and shell.__class__.__name__ == "ZMQInteractiveShell"


@contextmanager
def rows(total: int | None, wanted: bool | None) -> Iterator[Callable[[int], object] | None]:
    """A function that is told of rows that are done.

    With ``wanted=None``, a bar appears where somebody can see it, after a call has taken two seconds.
    """
    if wanted is None and not (_in_notebook() or sys.stderr.isatty()):
        wanted = False
    if wanted is False:
        yield None
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, unit=" rows", delay=0 if wanted else 2) as bar:
        yield bar.update


@contextmanager
def steps(wanted: bool | None) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A function that is told of the events of a run, and shows them as a bar."""
    if wanted is None:
        wanted = _in_notebook() or sys.stderr.isatty()
    if not wanted:
        yield lambda event: None
        return
    from tqdm.auto import tqdm

    with tqdm(unit=" steps") as bar:

        def show(event: dict[str, Any]) -> None:
            if event["event"] == "started":
                bar.reset(event["steps"])
                bar.update(event["step"])
            elif event["event"] == "step":
                bar.set_postfix(loss=f"{event['loss']:.3f}", refresh=False)
                bar.update(event["step"] - bar.n)
            elif event["event"] == "dev":
                best = ", best so far" if event["best"] else ""
                bar.write(f"step {event['step']}: dev {event['value']:.4f}{best}")

        yield show
