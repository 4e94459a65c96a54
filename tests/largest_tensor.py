"""How large the tensors are that operations of a computation make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def largest_tensor(work: Callable[[], object]) -> int:
    """Elements of the largest one that this thread makes, forward and backward."""

    class Largest(TorchDispatchMode):
        elements = 0

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            results = function(*args, **(kwargs or {}))
            sizes = [leaf.numel() for leaf in tree_leaves(results) if isinstance(leaf, Tensor)]
            self.elements = max(self.elements, *sizes, 0)
            return results

    with Largest() as largest:
        work()
    return largest.elements
