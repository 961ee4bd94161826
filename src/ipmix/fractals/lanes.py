"""Numbers side by side in one register, for the loops that LLVM leaves scalar or cuts into narrow vectors.

A :class:`Lanes` exists while code is generated: ``a * b + c`` on it emits a vector multiplication and a vector
addition, in this order and each rounded by itself, so that a lane's result is that of the same line on plain numbers.
LLVM splits the vectors into whatever registers a processor has.
"""

from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba.core import cgutils


@dataclass(frozen=True)
class Lanes:
    """Floating-point numbers in the lanes of ``value``, an LLVM vector, whose instructions ``builder`` takes."""

    builder: Any
    value: Any

    def _made(self, value: Any) -> "Lanes":
        return Lanes(self.builder, value)

    def __add__(self, other: "Lanes") -> "Lanes":
        return self._made(self.builder.fadd(self.value, other.value))

    def __sub__(self, other: "Lanes") -> "Lanes":
        return self._made(self.builder.fsub(self.value, other.value))

    def __mul__(self, other: "Lanes") -> "Lanes":
        return self._made(self.builder.fmul(self.value, other.value))

    def __abs__(self) -> "Lanes":
        kind = self.value.type
        name = f"llvm.fabs.v{kind.count}{'f32' if kind.element == ir.FloatType() else 'f64'}"
        absolute = cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(kind, [kind]), name)
        return self._made(self.builder.call(absolute, [self.value]))

    def __le__(self, other: "Lanes") -> Any:
        """Which lanes are at most the other's: a vector of bits, false for what is not a number."""
        return self.builder.fcmp_ordered("<=", self.value, other.value)

    def __lt__(self, other: "Lanes") -> Any:
        return self.builder.fcmp_ordered("<", self.value, other.value)

    def where(self, mask: Any, other: "Lanes") -> "Lanes":
        """These numbers in the lanes of ``mask``, the other's elsewhere."""
        return self._made(self.builder.select(mask, self.value, other.value))

    def least(self, other: "Lanes") -> "Lanes":
        """The smaller one in each lane; the other's if they can't be compared."""
        return self.where(self < other, other)


def load(builder: Any, pointer: Any, lanes: int) -> Lanes:
    """``lanes`` numbers from ``pointer`` onwards."""
    return Lanes(builder, builder.load(vector_at(builder, pointer, lanes), align=1))


def store(pointer: Any, numbers: Lanes) -> None:
    """Put the numbers at ``pointer``."""
    builder = numbers.builder
    builder.store(numbers.value, vector_at(builder, pointer, numbers.value.type.count), align=1)


def vector_at(builder: Any, pointer: Any, lanes: int) -> Any:
    """``pointer`` to one number as a pointer to a vector of them."""
    return builder.bitcast(pointer, ir.VectorType(pointer.type.pointee, lanes).as_pointer())


def splat(builder: Any, number: Any, lanes: int) -> Lanes:
    """One number in all lanes."""
    kind = ir.VectorType(number.type, lanes)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return Lanes(builder, builder.shuffle_vector(first, first, everywhere))
