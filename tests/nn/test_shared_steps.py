"""The gradient accumulated over a loop is what autograd adds up step by step; nothing leaks, and nothing is lost."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lasasr.nn import shared_steps

STEPS = 4


def _factors(*sizes: tuple[int, ...]) -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(size, dtype=torch.double, requires_grad=True) for size in sizes]


def _steps(left: Tensor, right: Tensor, transposed: bool = False) -> Tensor:
    """A loop whose steps depend on each other."""
    for _ in range(STEPS):
        left = shared_steps.product(left, right, transposed).tanh()
    return left


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_gradients_are_those_of_autograd(batch: tuple[int, ...], transposed: bool) -> None:
    left, right = _factors((*batch, 5, 4), (*batch, 4, 4))
    plain = torch.autograd.grad(_steps(left, right, transposed).sum(), [left, right])
    with shared_steps.loop():
        result = _steps(left, right, transposed)
    torch.testing.assert_close(torch.autograd.grad(result.sum(), [left, right]), plain)


def test_gradients_agree_with_finite_differences() -> None:
    inputs, weight, bias = _factors((3, 2, 4), (4, 4), (4,))

    def looped(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        with shared_steps.loop():
            for _ in range(STEPS):
                inputs = shared_steps.linear(inputs, weight, bias).sigmoid()
        return inputs

    assert torch.autograd.gradcheck(looped, (inputs, weight, bias))


def test_a_backward_pass_that_was_abandoned_leaves_nothing_behind() -> None:
    left, right = _factors((5, 4), (4, 4))
    expected = torch.autograd.grad(_steps(left, right).sum(), right)
    with shared_steps.loop():
        total = _steps(left, right).sum()
    torch.autograd.grad(total, left, retain_graph=True)  # never asks for what the steps added for `right`
    for _ in range(2):
        torch.testing.assert_close(torch.autograd.grad(total, right, retain_graph=True), expected)
    total.backward()
    torch.testing.assert_close((right.grad,), expected)


def test_gradients_of_gradients_are_refused() -> None:
    left, right = _factors((5, 4), (4, 4))
    with shared_steps.loop():
        total = _steps(left, right).sum()
    (slope,) = torch.autograd.grad(total, left, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


def test_a_weight_changed_before_the_backward_pass_is_noticed() -> None:
    left, right = _factors((5, 4), (4, 4))
    with shared_steps.loop():
        total = _steps(left, right).sum()
    with torch.no_grad():
        right.mul_(2)
    with pytest.raises(RuntimeError, match="inplace"):
        total.backward()


def test_only_what_requires_a_gradient_gets_one() -> None:
    left, right = _factors((5, 4), (4, 4))
    for frozen, free in ((left, right), (right, left)):
        frozen.requires_grad_(False)
        frozen.grad = free.grad = None
        with shared_steps.loop():
            _steps(left, right).sum().backward()
        assert frozen.grad is None
        torch.testing.assert_close((free.grad,), torch.autograd.grad(_steps(left, right).sum(), free))
        frozen.requires_grad_(True)


def test_the_graph_goes_with_the_result() -> None:
    """At once: reference counts alone free it, no circle waits for the garbage collector."""
    left, right = _factors((5, 4), (4, 4))
    with shared_steps.loop():
        result = _steps(left, right)
        accumulator = weakref.ref(shared_steps.factor(right).accumulator)
    assert accumulator() is not None
    del result
    assert accumulator() is None


def test_what_is_cached_is_told_apart_by_function_arguments_and_mode() -> None:
    a, b = _factors((2,), (2,))
    calls: list[str] = []

    def double(value: Tensor, times: int) -> Tensor:
        calls.append(f"{times}")
        return value * times

    with shared_steps.loop():
        assert shared_steps.cached(double, a, 2) is shared_steps.cached(double, a, 2)
        assert shared_steps.cached(double, a, 3) is not shared_steps.cached(double, b, 3)
        with torch.no_grad():
            assert not shared_steps.cached(double, a, 2).requires_grad
        assert shared_steps.cached(double, a, 2).requires_grad
    shared_steps.cached(double, a, 2)
    assert calls == ["2", "3", "3", "2", "2"]


def test_loops_nest_and_close_after_an_error() -> None:
    (a,) = _factors((2,))
    with shared_steps.loop():
        outer = shared_steps.cached(torch.neg, a)
        with pytest.raises(ZeroDivisionError):
            _fails_inside(a, outer)
        assert shared_steps.cached(torch.neg, a) is outer
    assert not shared_steps.recording()


def _fails_inside(a: Tensor, outer: Tensor) -> None:
    with shared_steps.loop():
        assert shared_steps.cached(torch.neg, a) is not outer
        raise ZeroDivisionError


def test_a_thread_has_its_own_loop() -> None:
    recording: list[bool] = []
    with shared_steps.loop():
        thread = threading.Thread(target=lambda: recording.append(shared_steps.recording()))
        thread.start()
        thread.join()
        assert shared_steps.recording()
    assert recording == [False]


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients_a_loop_only_prepares(mode: Callable[[], torch.no_grad]) -> None:
    left, right = _factors((5, 4), (4, 4))
    with mode(), shared_steps.loop():
        assert not shared_steps.recording()
        result = _steps(left, right)
    torch.testing.assert_close(result, _steps(left, right).detach())


@pytest.mark.parametrize("rows", [(1,), (10,), (3, 7)])
def test_a_weight_in_the_order_of_onednn_makes_the_same_products(rows: tuple[int, ...]) -> None:
    inputs, weight, bias = torch.randn(*rows, 33), nn.Parameter(torch.randn(65, 33)), torch.randn(65)
    with torch.no_grad(), shared_steps.loop():
        results = (
            shared_steps.linear(inputs, weight, bias),
            shared_steps.product(inputs, weight, transposed=True) + bias,
        )
        halves = shared_steps.linear(inputs.bfloat16(), weight.bfloat16())
    expected = functional.linear(inputs, weight, bias)
    torch.testing.assert_close(results, (expected, expected))
    assert halves.dtype == torch.bfloat16


def test_what_is_made_of_parameters_alone_lasts_as_long_as_the_outermost_loop() -> None:
    parameter, tensor = nn.Parameter(torch.ones(2)), torch.ones(2)

    def negated() -> tuple[Tensor, Tensor]:
        return shared_steps.cached(torch.neg, parameter), shared_steps.cached(torch.neg, tensor)

    with shared_steps.loop():
        with shared_steps.loop():
            first = negated()
        second = negated()
        shared_steps.forget()
        third = negated()
    with shared_steps.loop():
        fourth = negated()
    assert first[0] is second[0] is third[0] is not fourth[0]
    assert len({id(of_tensor) for _, of_tensor in (first, second, third, fourth)}) == 4


def test_lasting_says_whether_what_a_loop_makes_of_parameters_outlives_it() -> None:
    lasting = [shared_steps.lasting()]
    with shared_steps.loop():
        lasting.append(shared_steps.lasting())
        with shared_steps.loop():
            lasting.append(shared_steps.lasting())
        lasting.append(shared_steps.lasting())
    assert lasting == [False, False, True, False]


def test_autocast_casts_a_weight_once_and_its_gradient_back() -> None:
    left, right = (factor.detach().float().requires_grad_() for factor in _factors((5, 4), (4, 4)))
    with torch.autocast("cpu", torch.bfloat16):
        expected = _steps(left, right)
        with shared_steps.loop():
            result = _steps(left, right)
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result, expected)
    ours = torch.autograd.grad(result.float().sum(), [left, right])
    plain = torch.autograd.grad(expected.float().sum(), [left, right])
    assert [gradient.dtype for gradient in ours] == [torch.float32] * 2
    torch.testing.assert_close(ours, plain, rtol=0.05, atol=0.05)
