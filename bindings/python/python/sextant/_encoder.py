"""How adapters open their model: a path, a name, or a model that is open already."""

import os
from typing import Any

from .cross_encoder import CrossEncoder


def opened(model: "str | os.PathLike[str] | CrossEncoder", **options: Any) -> CrossEncoder:
    """A :class:`CrossEncoder`; ``options`` are those of its constructor, for a path or a name."""
    if isinstance(model, CrossEncoder):
        if options:
            raise TypeError(f"the model is open already; {', '.join(options)} cannot change it")
        return model
    return CrossEncoder(model, **options)
