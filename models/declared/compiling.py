"""What a network may be run in beside float32, where that proves to be no worse."""

from typing import Literal, Self

from pydantic import model_validator

from models.declared.part import Part


class Compile(Part):
    """``precisions``: to be made at the hub and to travel with a release, once each has proved itself.

    A device takes the fastest that its profile allows and its golden inputs confirm. Agents older than this
    table refuse a bundle that carries any, by name: upgrade devices first.
    """

    precisions: tuple[Literal["fp16", "int8"], ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.precisions)) < len(self.precisions):
            raise ValueError(f"expected each precision once, got {[*self.precisions]}")
        return self
