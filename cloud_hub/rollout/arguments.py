"""The words of ``andon rollout start``, each parsed once; what means nothing is refused in a sentence."""

from collections.abc import Sequence
from typing import Annotated

import typer

from cloud_hub.rollout.plan import Late, PlanError, Silent

Names = list[str] | None

Waves = Annotated[Names, typer.Option(help="How far it reaches, as 1 or 50%; repeatable [1, 50%, 100%].")]
Soak = Annotated[float, typer.Option(help="Hours between a wave's success and the next wave.")]
Timeout = Annotated[float, typer.Option(help="Hours until a device without an answer is silent.")]
Tolerate = Annotated[str, typer.Option(help="Share of a wave that may fail, as 0.05 or 5%.")]
Succeed = Annotated[
    str | None,
    typer.Option(
        help="Share of a wave that has to commit, silent devices counted; once it has, the next wave opens"
        " [all that answer, once all have]."
    ),
]
IfSilent = Annotated[Silent, typer.Option(help="What a silent device counts as.")]
IfLate = Annotated[
    Late,
    typer.Option(help="Whether devices that come to match, or come back, while it runs join the last wave."),
]
AtOnce = Annotated[int | None, typer.Option(help="At most so many devices under way at any time.")]
Windows = Annotated[
    Names, typer.Option("--window", help="In each site's time, as 'sat,sun 02:00-06:00'; repeatable.")
]
ApproveBefore = Annotated[
    Names, typer.Option(help="A wave that opens only once a person has approved, or all; repeatable.")
]
FourEyes = Annotated[
    bool, typer.Option("--four-eyes", help="Who approves must not be who started the rollout.")
]
Sites = Annotated[Names, typer.Option("--site", help="Devices of this site; repeatable.")]
Tags = Annotated[Names, typer.Option("--tag", help="Devices with this tag; repeatable.")]
Profiles = Annotated[Names, typer.Option("--profile", help="Devices of this profile; repeatable.")]
Targets = Annotated[Names, typer.Option("--target", help="Devices of this compile target; repeatable.")]
Devices = Annotated[Names, typer.Option("--device", help="This device; repeatable.")]
Supersede = Annotated[bool, typer.Option("--supersede", help="End the rollout in the way.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would happen, and change nothing.")]
Watch = Annotated[
    bool, typer.Option("--watch", help="Until it ends; exit status 0 if done, 3 if it was stopped.")
]
UntilApproval = Annotated[
    bool, typer.Option("--until-approval", help="Watch, and end with exit status 4 where it awaits approval.")
]


def share(text: str) -> float:
    """0.05 or 5% as a number."""
    number, percent = text.removesuffix("%"), text.endswith("%")
    try:
        return float(number) / (100 if percent else 1)
    except ValueError as error:
        raise PlanError(f"expected a share such as 0.05 or 5%, got {text!r}") from error


def approvals(texts: Sequence[str], waves: int) -> tuple[int, ...]:
    """The waves before which ``--approve-before`` wants approval; ``all`` of a plan of ``waves``."""
    if "all" in texts:
        return tuple(range(1, waves + 1))
    try:
        return tuple(sorted({int(text) for text in texts}))
    except ValueError as error:
        raise PlanError(f"expected the number of a wave, or all, got {', '.join(texts)}") from error
