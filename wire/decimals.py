"""Values of many series end to end, written as decimals where that is what they are.

Instruments print: 230.12 is 23012 and two decimals, a third of its float64 after
compression. A form is chosen by reading it back and comparing every bit, so nothing
is ever rounded, and -0.0, NaN and infinities come back as they went.

``counts`` int64 [s] is how many of the ``values`` float64 [n] are each series'.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wire.batch import Times, Values
from wire.columns import FLOAT32, INT32
from wire.errors import UnknownFormError
from wire.times import any_of_each

SHORT, EXACT = 254, 255  # forms of values: float32, float64; a smaller one is a number of decimals
POWERS = np.array([float(f"1e{decimals}") for decimals in range(23)])  # a float64 holds no larger one exactly
NO_MANTISSAS, NO_SHORT, NO_EXACT = np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0)

Flags = npt.NDArray[np.bool_]
Mantissas = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ValueColumns:
    """``forms`` uint8 [s]; the others hold the series of their form."""

    forms: npt.NDArray[np.uint8]
    mantissas: Mantissas
    short: npt.NDArray[np.float32]
    exact: Values


def written(values: Values, counts: Times) -> ValueColumns:
    """The columns that ``read`` makes the same values of, bit by bit."""
    with np.errstate(invalid="ignore", over="ignore"):  # what does not fit is found by comparing
        forms, mantissas = _decimals(values, counts)
        if mantissas is not None and (forms < SHORT).all():
            return ValueColumns(forms=forms, mantissas=mantissas, short=NO_SHORT, exact=NO_EXACT)
        short = values.astype(FLOAT32)
        shortened = forms == SHORT
        shortened &= ~any_of_each(~_same(short.astype(np.float64), values), counts)
    forms = np.where((forms == SHORT) & ~shortened, np.uint8(EXACT), forms)
    if (forms == EXACT).all():
        return ValueColumns(forms=forms, mantissas=NO_MANTISSAS, short=NO_SHORT, exact=values)
    return ValueColumns(
        forms=forms,
        mantissas=NO_MANTISSAS if mantissas is None else mantissas[(forms < SHORT).repeat(counts)],
        short=short[(forms == SHORT).repeat(counts)],
        exact=values[(forms == EXACT).repeat(counts)],
    )


def read(columns: ValueColumns, counts: Times) -> Values:
    """The values; lengths and forms have been looked at."""
    forms = columns.forms
    if len(columns.exact) == counts.sum():
        return columns.exact
    if len(columns.mantissas) == counts.sum():
        quotients: Values = columns.mantissas / POWERS[forms % SHORT].repeat(counts)
        return quotients
    values = np.empty(counts.sum())
    decimal = forms < SHORT
    powers = POWERS[forms[decimal]].repeat(counts[decimal])
    values[decimal.repeat(counts)] = columns.mantissas / powers
    values[(forms == SHORT).repeat(counts)] = columns.short
    values[(forms == EXACT).repeat(counts)] = columns.exact
    return values


def check_forms(forms: npt.NDArray[np.uint8]) -> None:
    wrong = (forms >= len(POWERS)) & (forms < SHORT)
    if wrong.any():
        raise UnknownFormError(
            f"expected 0 to {len(POWERS) - 1} decimals, {SHORT} or {EXACT} as the form of values,"
            f" got {forms[wrong][0]}"
        )


def _decimals(values: Values, counts: Times) -> tuple[npt.NDArray[np.uint8], Mantissas | None]:
    """The fewest decimals that every value of a series has, ``SHORT`` where it is not made of such.

    A few values of each series say how many it might be; all of them are tried with that, and the
    first value that does not fit says how many it needs.
    """
    firsts = counts.cumsum() - counts
    forms = np.full(len(counts), SHORT, np.uint8)
    filled = np.flatnonzero(counts)
    if not len(filled):
        return forms, None
    forms[filled] = _fewest(values[_probes(firsts[filled], counts[filled])]).max(axis=0)
    while (forms < SHORT).any():
        powers = POWERS[forms % SHORT].repeat(counts)
        mantissas = np.rint(values * powers).astype(INT32)
        different = np.flatnonzero(~_same(mantissas / powers, values))
        owners, places = np.unique(counts.cumsum().searchsorted(different, "right"), return_index=True)
        wrong = forms[owners] < SHORT
        if not wrong.any():
            return forms, mantissas
        owners, needed = owners[wrong], _fewest(values[different[places[wrong]]])
        forms[owners] = np.where(needed > forms[owners], needed, SHORT)
    return forms, None


def _probes(firsts: Times, counts: Times) -> Times:
    """Four places in each series [4, s], from its first to its last."""
    return firsts + (counts - 1) * np.arange(4)[:, None] // 3


def _fewest(values: Values) -> npt.NDArray[np.uint8]:
    """How many decimals each has, ``SHORT`` for one that has none which fit."""
    tried = np.ascontiguousarray(values)[..., None]
    fits = _same(np.rint(tried * POWERS).astype(INT32) / POWERS, tried)
    return np.where(fits.any(axis=-1), fits.argmax(axis=-1), SHORT).astype(np.uint8)


def _same(found: Values, values: Values) -> Flags:
    """Bit by bit: neither -0.0 nor a NaN is another one."""
    same: Flags = found.view(np.int64) == values.view(np.int64)
    return same
