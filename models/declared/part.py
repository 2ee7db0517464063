"""What every part of a declaration has in common: frozen, and unknown keys are refused by name."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Part(BaseModel):
    """A misspelt limit never means "no limit"; infinity and NaN are no settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
