"""Where a benchmark plays: a folder of its own, and whatever is started on it; all of it gone at the end."""

import shutil
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from typing import Self

from cloud_hub.parts.places import sweep


class BenchStage:
    """``with`` it all stands, or nothing of it is left; ``_start`` puts on ``_stack`` what ends it again."""

    def __init__(self) -> None:
        self.folder = Path(mkdtemp(prefix="andon-bench-"))
        self._stack = ExitStack()
        self._stack.callback(sweep)
        self._stack.callback(shutil.rmtree, self.folder)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        raise NotImplementedError
