"""Several processes that train one model."""

from __future__ import annotations

from datetime import timedelta

from lightning.pytorch.strategies import DDPStrategy

from lasasr.configuration.configurable import configurable
from lasasr.errors import UsageError


@configurable("trainer.strategy")
def ddp(timeout_s: float) -> DDPStrategy:
    """DistributedDataParallel; every parameter has a part in every update, so that none is looked for.

    Gradients lie in the buffers that the ranks exchange, and no second time beside them.

    Args:
        timeout_s: how long a rank waits for the others before it calls them lost.

    Raises:
        UsageError: that is no time.
    """
    if not 0 < timeout_s < float("inf"):
        raise UsageError(f"trainer.strategy.timeout_s must be above 0, got {timeout_s}")
    waits = timedelta(seconds=timeout_s)
    return DDPStrategy(timeout=waits, find_unused_parameters=False, gradient_as_bucket_view=True)
