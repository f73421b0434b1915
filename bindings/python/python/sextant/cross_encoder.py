"""A drop-in for ``sentence_transformers.CrossEncoder``."""

import json
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from . import _inputs, _sextant
from .relevance import Relevance, expected_grade

_IDENTITY = "torch.nn.modules.linear.Identity"
_SIGMOID = "torch.nn.modules.activation.Sigmoid"
_ONE_LABEL = (
    "`activation_fn` is for rerankers with one label; `apply_softmax=True` gives the probability of each of several"
)


class CrossEncoder:
    """Scores pairs of texts as ``sentence_transformers.CrossEncoder`` does, by Sextant's kernels.

    It opens

    * a **bundle, ensemble or run** of Sextant: :meth:`predict` gives the expected grade / 2, in [0, 1];
    * a **published reranker**: a folder in Hugging Face layout, or a name that ``sextant get`` fetched, of any
      supported family. A reranker with one label gets the scores that sentence-transformers gives it: the
      logit after the activation that its configuration states, which is the sigmoid unless stated. Other
      classifiers of relevance, of two or three labels, give the expected grade / 2, and with
      ``apply_softmax=True`` the probability of each label.

    Args:
        model_name_or_path: what to open.
        precision: of the products: ``f32``, ``bf16`` or ``int8``.
        task: the task of the pairs, for bundles; ``query-product`` or the model's only task unless given.
        max_length: the most tokens of a pair; for published rerankers only.
        activation_fn: what becomes of the logit of a one-label reranker in place of its own activation: a
            callable on a tensor (with torch) or an array (without).
        threads: how many threads compute; all unless given.
        device: accepted for compatibility: ``None`` or ``cpu``.

    Raises:
        ModelError: what is there cannot be opened.
    """

    def __init__(
        self,
        model_name_or_path: str | os.PathLike[str],
        *,
        precision: str = "f32",
        task: str | None = None,
        max_length: int | None = None,
        activation_fn: Callable[[Any], Any] | None = None,
        threads: int | None = None,
        device: str | None = None,
    ) -> None:
        if device not in (None, "cpu"):
            raise ValueError(f"device {device!r}: a CrossEncoder computes on the CPU")
        name = os.fspath(model_name_or_path)
        self.max_length = max_length
        self.source = name
        """The folder of what was opened."""
        self._activation: str | Callable[[Any], Any] | None = None
        self._labels = [0, 1, 2]  # in the numbering of what was opened, the lowest grade first
        if _is_sextant(name):
            if max_length is not None:
                raise ValueError("`max_length` is for published rerankers; a bundle states its own")
            if activation_fn is not None:
                raise ValueError("`activation_fn` is for published rerankers; a bundle answers probabilities")
            self.model = Relevance.load(name, precision, threads=threads)
        else:
            scratch = tempfile.mkdtemp(prefix="sextant-")
            self._finalizer = weakref.finalize(self, shutil.rmtree, scratch, ignore_errors=True)
            bundle = os.path.join(scratch, "bundle")
            self.source, self._labels = _sextant.import_classifier(name, bundle, max_length)
            if len(self._labels) == 1:
                self._activation = activation_fn or _stated_activation(self.source)
            elif activation_fn is not None:
                raise ValueError(_ONE_LABEL)
            self.model = Relevance.load(bundle, precision, threads=threads)
        if task is None and "query-product" in self.model.tasks:
            task = "query-product"
        self.task = task

    def predict(
        self,
        inputs: Any = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        activation_fn: Callable[[Any], Any] | None = None,
        apply_softmax: bool | None = False,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: str | list[str] | None = None,
        pool: Any = None,
        chunk_size: int | None = None,
        *,
        sentences: Any = None,
    ) -> Any:
        """The score of each pair: an array ``[n]`` of ``float32``, or one number for one pair.

        ``batch_size``, ``device``, ``pool`` and ``chunk_size`` are accepted for compatibility: rows are packed
        without padding, and the answer does not depend on how.

        Args:
            inputs: a pair, or pairs in any form that :class:`Relevance` takes.
            prompt: a text in front of the left sides.
            show_progress_bar: whether to show a bar; unless given, one appears when the call takes long.
            activation_fn: as in the constructor, for this call.
            apply_softmax: the probability of each label, ``[n, labels]`` in the model's own numbering of them (for
                bundles: irrelevant, partial, relevant), in place of one score. It changes nothing for a reranker
                with one label, and the logits of several are not to be had.
            convert_to_numpy: ``False`` gives a list of numbers.
            convert_to_tensor: gives a torch tensor.

        Raises:
            RowError: a pair without text. It names the row.
            ValueError: not pairs, a named prompt.
        """
        if sentences is not None:
            inputs = sentences
        if prompt_name is not None:
            raise ValueError("there are no named prompts; give the text: `prompt=`")
        single = _inputs.is_pair(inputs)
        pairs = [inputs] if single else inputs
        if prompt:
            pairs = [(prompt + pair[0], pair[1]) for pair in pairs]
        shares = bool(apply_softmax) and len(self._labels) > 1
        if hasattr(pairs, "__len__") and len(pairs) == 0:
            nothing = np.zeros((0, len(self._labels)) if shares else 0, dtype=np.float32)
            return self._returned(nothing, convert_to_numpy, convert_to_tensor)
        found = self.model.probabilities(pairs, self.task, progress=show_progress_bar)
        activation = activation_fn or self._activation
        if shares and activation is None:
            scores = _shares(found, self._labels)
        elif activation is None:
            scores = expected_grade(found) / np.float32(2)
        elif self._activation is None:
            raise ValueError(_ONE_LABEL)
        else:
            scores = _activated(_logits(found), activation)
        if single:
            return scores[0]
        return self._returned(scores, convert_to_numpy, convert_to_tensor)

    @staticmethod
    def _returned(scores: Any, numpy: bool, tensor: bool) -> Any:
        if tensor:
            import torch

            return torch.from_numpy(np.ascontiguousarray(scores))
        return scores if numpy else list(scores)

    def rank(
        self,
        query: str,
        documents: Iterable[str],
        top_k: int | None = None,
        return_documents: bool = False,
        **arguments: Any,
    ) -> list[dict[str, Any]]:
        """Documents by falling score.

        Args:
            query: the left side.
            documents: the right sides.
            top_k: how many to return; all unless given.
            return_documents: whether each entry repeats its document, as ``text``.
            arguments: those of :meth:`predict`.

        Returns:
            For each document ``corpus_id`` (its place among ``documents``), ``score`` and, if asked for, ``text``.
        """
        documents = list(documents)
        if not documents:
            return []
        scores = np.asarray(self.predict([(query, document) for document in documents], **arguments))
        if scores.ndim != 1:
            raise ValueError("documents are ranked by one score; leave out `apply_softmax`")
        order = np.argsort(-scores, kind="stable")[:top_k]
        return [
            {
                "corpus_id": int(place),
                "score": scores[place],
                **({"text": documents[place]} if return_documents else {}),
            }
            for place in order
        ]

    def save_pretrained(self, path: str | os.PathLike[str], **_: Any) -> None:
        """Writes what was opened to a new folder, which both this class and (for published rerankers)
        sentence-transformers open.

        Raises:
            FileExistsError: there is something at the path; nothing is written over.
        """
        target = os.fspath(path)
        if os.path.lexists(target) and (not os.path.isdir(target) or os.listdir(target)):
            raise FileExistsError(f"{target} exists already; name a new folder")
        parent = os.path.dirname(os.path.abspath(target))
        os.makedirs(parent, exist_ok=True)
        source = self.model.path if _is_sextant(self.source) else self.source
        # Beside its place and then renamed, so that a copy that fails leaves nothing.
        with tempfile.TemporaryDirectory(dir=parent, prefix=".sextant-") as scratch:
            copy = os.path.join(scratch, "copy")
            shutil.copytree(source, copy, symlinks=False)
            os.rename(copy, target)

    save = save_pretrained

    def __repr__(self) -> str:
        return f"CrossEncoder({self.source!r}, precision={self.model.precision!r})"


def _is_sextant(path: str) -> bool:
    names = ("bundle.json", "ensemble.json", os.path.join("bundle", "bundle.json"))
    return any(os.path.exists(os.path.join(path, name)) for name in names)


def _config(folder: str) -> dict[str, Any]:
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        found: dict[str, Any] = json.load(file)
    return found


def _stated_activation(folder: str) -> str:
    """The activation that a reranker's configuration states, as sentence-transformers reads it."""
    config = _config(folder)
    stated = config.get("sentence_transformers", {}).get("activation_fn")
    stated = stated or config.get("sbert_ce_default_activation_function") or _SIGMOID
    if stated not in (_IDENTITY, _SIGMOID):
        raise ValueError(
            f"{folder}: the activation {stated} is neither the identity nor the sigmoid; give one: `activation_fn=`"
        )
    return str(stated)


def _logits(probabilities: Any) -> Any:
    """The logit z of a one-label reranker, whose head was read as three grades with logits −z, 0 and z."""
    tiny = np.finfo(np.float32).tiny
    clipped = np.maximum(probabilities.astype(np.float64), tiny)
    return (0.5 * (np.log(clipped[:, 2]) - np.log(clipped[:, 0]))).astype(np.float32)


def _shares(probabilities: Any, labels: list[int]) -> Any:
    """The probability of each label, in the model's own numbering; ``labels`` are its numbers by rising grade."""
    found = np.empty((len(probabilities), len(labels)), dtype=np.float32)
    if len(labels) == 2:
        # The head was read as that of a reranker whose logit is the difference of the two.
        higher = _activated(_logits(probabilities), _SIGMOID)
        found[:, labels[0]], found[:, labels[1]] = 1 - higher, higher
    else:
        found[:, labels] = probabilities
    return found


def _activated(logits: Any, activation: str | Callable[[Any], Any]) -> Any:
    if activation == _IDENTITY:
        return logits
    if activation == _SIGMOID:
        return (1.0 / (1.0 + np.exp(-logits.astype(np.float64)))).astype(np.float32)
    assert callable(activation), "the constructor lets only these three through"
    torch = sys.modules.get("torch")
    found = activation(torch.from_numpy(logits) if torch is not None else logits)
    return np.asarray(found, dtype=np.float32)
