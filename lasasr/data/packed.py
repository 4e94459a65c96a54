"""Many short strings, byte strings or lists of whole numbers, one after another in one array.

A million Python objects take a hundred bytes each before they hold anything, and every worker of a loader copies them
as soon as it counts a reference. An array can be mapped from a file: processes then share its pages, and what is never
looked at is never in memory.
"""

from __future__ import annotations

import operator
from abc import abstractmethod
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Final, Generic, Self, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
_AT_ONCE: Final = 1 << 14  # ends made into Python numbers


class Packed(Sequence[T]):
    """N items of differing length.

    Args:
        values: the items' elements, one item after another.
        ends: (N,) where each item ends in `values`.
        start: where the first begins.
    """

    dtype: ClassVar[type[np.generic]]  # of the elements

    def __init__(self, values: NDArray[Any], ends: NDArray[np.int64], start: int = 0) -> None:
        self.values, self.ends, self.start = values, ends, start
        self._view = values.data

    def __reduce__(self) -> tuple[type[Self], tuple[NDArray[Any], NDArray[np.int64], int]]:
        return type(self), (self.values, self.ends, self.start)  # a view cannot be pickled

    @classmethod
    def of(cls, items: Iterable[T]) -> Self:
        """These items, packed."""
        packing = Packing(cls)
        for item in items:
            packing.add(item)
        packed: Self = packing.packed()
        return packed

    @staticmethod
    @abstractmethod
    def packed(item: T) -> bytes:
        """The elements of an item."""

    @staticmethod
    @abstractmethod
    def _item(elements: memoryview) -> T:
        """The item of these elements."""

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: int | slice) -> T | Self:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                raise ValueError(f"packed items are cut out one after another, not every {step}.")
            first = self.start if start == 0 else int(self.ends[start - 1])
            return type(self)(self.values, self.ends[start:stop], first)
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(index)
        return self._item(self._view[int(self.ends[place - 1]) if place else self.start : int(self.ends[place])])

    def __iter__(self) -> Iterator[T]:
        start = self.start
        for part in range(0, len(self.ends), _AT_ONCE):
            for end in self.ends[part : part + _AT_ONCE].tolist():
                yield self._item(self._view[start:end])
                start = end

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(operator.eq, self, other))

    __hash__ = None  # type: ignore[assignment]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(N,) how many elements each item has."""
        return np.diff(self.ends, prepend=self.start)


class Packing(Generic[T]):
    """Packs items one by one, so that they need not be in memory as objects at the same time."""

    def __init__(self, kind: type[Packed[T]]) -> None:
        self._kind, self._values, self._ends = kind, bytearray(), array("q")
        self._element_bytes = np.dtype(kind.dtype).itemsize

    def add(self, item: T) -> None:
        """One more."""
        self._values += self._kind.packed(item)
        self._ends.append(len(self._values) // self._element_bytes)

    def packed(self) -> Any:
        """All of them, once."""
        return self._kind(np.frombuffer(self._values, self._kind.dtype), np.frombuffer(self._ends, np.int64))


class PackedBytes(Packed[bytes]):
    """Byte strings."""

    dtype = np.uint8

    @staticmethod
    def packed(item: bytes) -> bytes:
        return item

    @staticmethod
    def _item(elements: memoryview) -> bytes:
        return bytes(elements)


class PackedStrings(Packed[str]):
    """Strings, as UTF-8."""

    dtype = np.uint8

    @staticmethod
    def packed(item: str) -> bytes:
        return item.encode("utf-8", "surrogatepass")

    @staticmethod
    def _item(elements: memoryview) -> str:
        return str(elements, "utf-8", "surrogatepass")


class PackedIds(Packed[list[int]]):
    """Lists of token ids."""

    dtype = np.int32

    @staticmethod
    def packed(item: list[int]) -> bytes:
        return array("i", item).tobytes()

    @staticmethod
    def _item(elements: memoryview) -> list[int]:
        return elements.tolist()
