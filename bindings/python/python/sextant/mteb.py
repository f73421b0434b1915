"""MTEB: a model for its reranking and retrieval tasks.

>>> from sextant.mteb import SextantModel   # doctest: +SKIP
>>> mteb.evaluate(SextantModel("runs/mine"), tasks)   # doctest: +SKIP
"""

import os
from typing import Any

import numpy as np
from mteb.models.model_meta import ModelMeta
from numpy.typing import NDArray

from ._encoder import opened
from .cross_encoder import CrossEncoder


class SextantModel:
    """MTEB's ``CrossEncoderProtocol``.

    Args:
        model_name: a bundle, a run, a published reranker, or an open :class:`sextant.CrossEncoder`.
        revision: what to call the model's version; the hash of its manifest unless given.
        device: accepted for compatibility: ``None`` or ``cpu``.
        name: how results name the model, ``organisation/model``; ``sextant/`` and the folder's name unless given.
        options: those of :class:`sextant.CrossEncoder`, such as ``precision``.
    """

    def __init__(
        self,
        model_name: str | os.PathLike[str] | CrossEncoder,
        revision: str | None = None,
        device: str | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        if device is not None:
            options["device"] = device
        self.encoder = opened(model_name, **options)
        folder = self.encoder.source.rstrip(os.sep)
        parts = [part for part in folder.split(os.sep) if part not in ("", "bundle")]
        self.mteb_model_meta = ModelMeta.create_empty(
            {
                "name": name or f"sextant/{parts[-1]}",
                "revision": revision or self.encoder.model.manifest_sha256,
                "framework": [],
                "model_type": ["cross-encoder"],
            }
        )

    def predict(
        self,
        inputs1: Any,
        inputs2: Any,
        *,
        task_metadata: Any = None,
        hf_split: str | None = None,
        hf_subset: str | None = None,
        prompt_type: Any = None,
        **_: Any,
    ) -> NDArray[np.float32]:
        """The score of each pair of the texts of two loaders: an array ``[n]``."""
        lefts = [text for batch in inputs1 for text in batch["text"]]
        rights = [text for batch in inputs2 for text in batch["text"]]
        found: NDArray[np.float32] = self.encoder.predict(list(zip(lefts, rights, strict=True)))
        return found
