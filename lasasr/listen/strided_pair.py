"""The first two strided convolutions of a batch, between which nothing is kept and nothing exists as a whole.

What the first one makes is by far the largest tensor of a self-attentive encoder: 256 channels of 16 utterances of 30 s
are 983 MB in float32. Autograd keeps it, and its backward pass makes three more of its size. The first convolution has
one input channel and costs little, so it is computed again, a few channels at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from lasasr.nn import lengths as length
from lasasr.nn import tracing

ELEMENTS: Final = 2**22  # between the convolutions, of utterances computed at a time: 16 MB in float32
CHANNELS: Final = 64  # at a time, backward: with 16 a pass takes a quarter longer, with 64 no longer than with all

Geometry = tuple[tuple[int, ...], tuple[int, ...]]  # stride and padding
Gradients = tuple[Tensor | None, Tensor | None, Tensor | None]


def convolved_twice(images: Tensor, lengths: Tensor, first: nn.Module, second: nn.Module) -> Tensor:
    """`second` of `rectified` of `first`: (B, 1, T, F) → (B, C, T'', F''), differentiable once.

    The forward pass takes utterances one after another, the backward pass channels between the convolutions, for each
    of which the weights have gradients of their own. So no sum is divided. oneDNN chooses the order of a sum by threads
    and sizes: in one thread, with strides of 2 and the sizes of recipes, the last bit too is that of the plain
    operations; elsewhere the last bits of the weights' gradients differ.

    Args:
        images: (B, 1, T, F), 0 on padding.
        lengths: (B,) of what `first` makes.
        first: a `nn.Conv2d`, as `second`; another module, or one with hooks, is called.
        second: reads what `first` makes.
    """
    if isinstance(first, nn.Conv2d) and isinstance(second, nn.Conv2d) and _divides(images, first, second):
        weights: Any = (first.weight, first.bias, second.weight, second.bias)
        below, above = (first.stride, first.padding), (second.stride, second.padding)
        result: Tensor = _Pair.apply(below, above, lengths, *map(_as_autocast, (images, *weights)))
        return result
    between = first(images)
    convolved: Tensor = second(rectified(between, length.mask(lengths, between.shape[2])[:, None, :, None]))
    return convolved


def rectified(values: Tensor, real: Tensor) -> Tensor:
    """ReLU of `values`, and 0 where `real` is False, in place: of the largest tensors of an encoder no copy is made."""
    with torch.no_grad():  # ReLU passes no gradient where it is 0
        values.masked_fill_(~real, 0.0)
    return functional.relu(values, inplace=True)


def _divides(images: Tensor, first: nn.Conv2d, second: nn.Conv2d) -> bool:
    """Whether the batch is large, and computed by plain convolutions of this class."""
    if tracing.active() or images.device.type != "cpu":  # on a GPU it was not measured
        return False
    for module in (first, second):
        hooks = module._forward_pre_hooks, module._forward_hooks, module._backward_pre_hooks, module._backward_hooks
        ordinary = all(type(weight) is nn.Parameter for weight in (module.weight, module.bias))
        if type(module) is not nn.Conv2d or any(hooks) or not ordinary:
            return False
    return len(images) * _elements(images, first.weight, first.stride) > ELEMENTS


def _elements(images: Tensor, weight: Tensor, stride: tuple[int, ...]) -> int:
    """About how many an utterance has between the convolutions."""
    return images[0].numel() * len(weight) // (stride[0] * stride[1])


def _as_autocast(tensor: Tensor) -> Tensor:
    """Cast as autocast casts what a convolution reads."""
    if not torch.is_autocast_enabled("cpu") or tensor.dtype == torch.float64:
        return tensor
    return tensor.to(torch.get_autocast_dtype("cpu"))


class _Pair(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, below: Geometry, above: Geometry, lengths: Tensor, *tensors: Tensor) -> Tensor:
        """Tensors: images, then weight and bias of each convolution."""
        ctx.below, ctx.above = below, above
        ctx.save_for_backward(lengths, *tensors)
        images, weight, bias, upper, upper_bias = tensors
        convolved: Tensor | None = None
        with torch.autocast("cpu", enabled=False):  # what it would cast is cast
            for part in _parts(images, weight, below):
                between = _between(images[part], lengths[part], weight, bias, below)
                values = torch.conv2d(between, upper, upper_bias, above[0], above[1])
                if convolved is None:
                    convolved = values.new_empty(len(images), *values.shape[1:])
                convolved[part] = values
        assert convolved is not None
        return convolved

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        lengths, images, weight, bias, upper, _ = ctx.saved_tensors
        wanted = ctx.needs_input_grad[3:]
        gradient = gradient.contiguous()
        of_images: Tensor | None = None
        of_weight, of_bias, of_upper = (torch.empty_like(tensor) for tensor in (weight, bias, upper))
        of_upper_bias: Tensor | None = None
        size = len(weight) if wanted[0] else CHANNELS  # the gradient of an image is a sum over all channels
        with torch.autocast("cpu", enabled=False):
            for start in range(0, len(weight), size):
                some = slice(start, start + size)
                values = _between(images, lengths, weight[some], bias[some], ctx.below)
                reading = upper[:, some].contiguous()
                _, part, of_upper_bias = _gradients(gradient, values, reading, ctx.above, (False, *wanted[3:]))
                if part is not None:
                    of_upper[:, some] = part
                if any(wanted[:3]):
                    _take_back(gradient, values, reading, ctx.above, _parts(images, weight[some], ctx.below))
                    of_images, part, part_bias = _gradients(values, images, weight[some], ctx.below, wanted[:3])
                    if part is not None:
                        of_weight[some] = part
                    if part_bias is not None:
                        of_bias[some] = part_bias
        gradients = of_images, of_weight, of_bias, of_upper, of_upper_bias
        return None, None, None, *(value if want else None for value, want in zip(gradients, wanted, strict=True))


def _parts(images: Tensor, weight: Tensor, geometry: Geometry) -> Iterator[slice]:
    """Which utterances are computed at a time."""
    size = max(1, ELEMENTS // _elements(images, weight, geometry[0]))
    return (slice(start, start + size) for start in range(0, len(images), size))


def _between(images: Tensor, lengths: Tensor, weight: Tensor, bias: Tensor, geometry: Geometry) -> Tensor:
    values = torch.conv2d(images, weight, bias, geometry[0], geometry[1])
    return rectified(values, length.mask(lengths, values.shape[2])[:, None, :, None])


def _take_back(gradient: Tensor, values: Tensor, weight: Tensor, geometry: Geometry, parts: Iterator[slice]) -> None:
    """Put the gradient of what was rectified in the place of `values`, what it was rectified to."""
    for part in parts:
        inside = values[part]
        towards, _, _ = _gradients(gradient[part], inside, weight, geometry, (True, False, False))
        torch.ops.aten.threshold_backward.grad_input(towards, inside, 0, grad_input=inside)


def _gradients(gradient: Tensor, inputs: Tensor, weight: Tensor, geometry: Geometry, wanted: Any) -> Gradients:
    """Of inputs, weight and bias, of each that is wanted."""
    biases, undilated, untransposed = [len(weight)], (1, 1), (False, (0, 0), 1)
    gradients: Gradients = torch.ops.aten.convolution_backward(
        gradient, inputs, weight, biases, *geometry, undilated, *untransposed, wanted
    )
    return gradients
