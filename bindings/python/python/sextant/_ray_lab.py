"""A lab whose runs are Ray tasks."""

import os
from typing import Any

import ray

from .lab import Lab as LocalLab


class Lab(LocalLab):
    """A :class:`sextant.Lab` on a Ray cluster: each run of the grid is a Ray task.

    All machines must see the lab's folder, the recipe and the data at the same absolute paths. Finished runs are
    kept. A run whose machine is lost is started again on another one, where it goes on from its checkpoint. The
    report is that of one machine.
    """

    def run(
        self,
        *,
        budget: float | None = None,
        overwrite: bool = False,
        num_cpus: float = 1,
        max_retries: int = 3,
        device: str = "cpu",
        **options: Any,
    ) -> bool:
        """Trains and evaluates what is missing, all runs at once as far as the cluster has CPUs.

        Args:
            budget: as for :meth:`sextant.Lab.run`, for each task.
            overwrite: replace a different recipe that is in the folder.
            num_cpus: CPUs that Ray reserves for each run, which computes with as many threads.
            max_retries: how often a run whose worker was lost is started again.
            device: ``cpu``, or ``cuda`` in a build with that feature.
            options: further options of the Ray tasks, such as ``num_gpus``.

        Returns:
            Whether every run is finished.
        """
        paths = [os.path.abspath(path) for path in (self.recipe, self.path)]
        threads = str(max(1, int(num_cpus)))
        environment = {"env_vars": {"RAYON_NUM_THREADS": threads}}
        task = ray.remote(_run_share).options(
            num_cpus=num_cpus, max_retries=max_retries, runtime_env=environment, **options
        )
        count = max(1, len(self.runs))
        shares = [f"{number}/{count}" for number in range(1, count + 1)]
        pending = [
            task.remote(*paths, self.settings, share, budget, overwrite, device) for share in shares
        ]
        return all(ray.get(pending))


def _run_share(
    recipe: str,
    out: str,
    settings: list[str],
    shard: str,
    budget: float | None,
    overwrite: bool,
    device: str,
) -> bool:
    from . import _sextant

    ended = _sextant.lab_run(recipe, settings, out, shard, budget, overwrite, device, lambda event: True)
    return ended == "complete"
