"""What a plan says of itself in its first bytes: which library made it. Nothing is loaded for that.

A tag, a layout, and in the one layout there is the version, a byte a number. Sources: ``printPlanVersion`` in
NVIDIA's trtexec (samples/common/sampleEngines.cpp) for TensorRT, not seen on a plan yet; plans made by
tensorrt-rtx 1.4.0.76 and 1.7.1.116.
"""

import re

from firmware_configs.errors import EngineBuildError
from firmware_configs.profiles import Runtime

TAGS = {Runtime.TENSORRT: b"ftrt", Runtime.TENSORRT_RTX: b"vtrt"}
LAYOUT, VERSION = slice(4, 8), slice(24, 28)
KNOWN_LAYOUT = bytes(4)


def check_plan(plan: bytes, runtime: Runtime, version: str) -> None:
    """EngineBuildError for a ``plan`` that is not of ``runtime`` in ``version``, such as "10.16.2.10".

    A layout that is not known tells no version: nothing is held against it.
    """
    tag = plan[:4]
    if tag != TAGS[runtime]:
        made = next((f"one of {name}" for name, own in TAGS.items() if own == tag), f"{tag!r} in front")
        raise EngineBuildError(f"expected a plan of {runtime}, got {made}")
    told = plan[VERSION]
    if plan[LAYOUT] != KNOWN_LAYOUT or len(told) < 4:
        return
    wanted = [int(number) for number in re.findall(r"\d+", version)[:4]]
    if any(number < 256 and number != own for number, own in zip(wanted, told, strict=False)):
        raise EngineBuildError(f"expected a plan of {runtime} {version}, got {'.'.join(map(str, told))}")
