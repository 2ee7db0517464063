"""A fact the demonstration ends on: what was found, what had to be, and whether it is so."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    name: str
    found: str
    expected: str
    holds: bool


def equal(name: str, found: object, expected: object) -> Fact:
    return Fact(name=name, found=str(found), expected=str(expected), holds=found == expected)


def at_most(name: str, found: float, limit: float, *, unit: str = "") -> Fact:
    return Fact(name=name, found=f"{found:.4g}{unit}", expected=f"<= {limit:.4g}{unit}", holds=found <= limit)


def at_least(name: str, found: float, limit: float, *, unit: str = "") -> Fact:
    return Fact(name=name, found=f"{found:.6g}{unit}", expected=f">= {limit:.6g}{unit}", holds=found >= limit)


def told(name: str, found: object) -> Fact:
    """A figure without a limit."""
    return Fact(name=name, found=str(found), expected="", holds=True)
