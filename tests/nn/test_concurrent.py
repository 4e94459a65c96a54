"""Two threads: values, gradients, modes, errors and forks."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest
import torch
from forked import exit_status
from torch import Tensor

from lasasr.nn import concurrent
from lasasr.nn.concurrent import concurrently


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrent, "cores_per_process", lambda: 2)


def _product(a: Tensor, b: Tensor) -> Tensor:
    return a * b


def test_values_and_gradients_are_those_of_one_thread() -> None:
    shared, left, right = (torch.randn(3, requires_grad=True) for _ in range(3))
    constant = torch.randn(3)
    first, second = concurrently(_product, lambda a, b, c: (a / b).sin() * c, [shared, left], [shared, right, constant])
    gradients = torch.autograd.grad((first * 2 + second).sum(), [shared, left, right])
    expected = (_product(shared, left) * 2 + (shared / right).sin() * constant).sum()
    for gradient, plain in zip(gradients, torch.autograd.grad(expected, [shared, left, right]), strict=True):
        torch.testing.assert_close(gradient, plain)


def test_the_graph_is_kept_when_asked_for_and_freed_otherwise() -> None:
    value = torch.randn(3, requires_grad=True)
    first, second = concurrently(_product, _product, [value, value], [value, value.sin()])
    total = (first + second).sum()
    once = torch.autograd.grad(total, value, retain_graph=True)[0]
    torch.testing.assert_close(torch.autograd.grad(total, value)[0], once)
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(total, value)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_a_gradient_nothing_is_recorded(mode: type[torch.no_grad] | type[torch.inference_mode]) -> None:
    weight = torch.randn(3, requires_grad=True)
    with mode():
        inside = weight * 2
        results = concurrently(_product, _product, [weight, inside], [inside, weight])
    assert not any(result.requires_grad for result in results)
    assert all(torch.equal(result, weight * weight * 2) for result in results)
    assert torch.is_grad_enabled()


def test_it_runs_in_two_threads_in_both_passes() -> None:
    threads_of: dict[str, set[int]] = {"forward": set(), "backward": set()}
    meeting = threading.Barrier(2, timeout=20)  # breaks unless both are there at the same time

    class Noted(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, value: Tensor) -> Tensor:
            threads_of["forward"].add(threading.get_ident())
            meeting.wait()
            return value.clone()

        @staticmethod
        def backward(ctx: object, gradient: Tensor) -> Tensor:
            threads_of["backward"].add(threading.get_ident())
            meeting.wait()
            return gradient

    value = torch.randn(3, requires_grad=True)
    first, second = concurrently(Noted.apply, Noted.apply, [value], [value])
    (first + second).sum().backward()
    assert [len(threads) for threads in threads_of.values()] == [2, 2]


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_in_either_thread_comes_out(failing: int) -> None:
    def fail(value: Tensor) -> Tensor:
        raise ArithmeticError("broken")

    functions: list[Callable[[Tensor], Tensor]] = [torch.sin, torch.sin]
    functions[failing] = fail
    threads = torch.get_num_threads()
    with pytest.raises(ArithmeticError, match="broken"):
        concurrently(*functions, [torch.randn(3)], [torch.randn(3)])
    assert torch.get_num_threads() == threads


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_has_its_own_second_thread() -> None:
    value = torch.randn(3)
    concurrently(torch.sin, torch.cos, [value], [value])

    def both() -> None:
        signal.alarm(20)  # ends the process where the second thread is that of the parent, and so never answers
        first, second = concurrently(torch.sin, torch.cos, [value], [value])
        assert torch.equal(first, value.sin())
        assert torch.equal(second, value.cos())

    assert exit_status(both) == 0
