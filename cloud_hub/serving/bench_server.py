"""One release served from a file, for the benchmark: by BentoML, or by the same door around the answer alone.

python -m cloud_hub.serving.bench_server STATE_DIR BUNDLE [plain]
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from cloud_hub.errors import NotFoundError
from cloud_hub.identity.ca import HUB_NAME
from cloud_hub.identity.certificates import HubCertificates
from cloud_hub.serving import environment, main
from cloud_hub.serving.catalogue import Entry
from cloud_hub.serving.protocol import App, Receive, Scope, Send
from cloud_hub.serving.scorer import Scorer
from wire.bundle import file_sha256, read_bundle
from wire.scoring import MEDIA_TYPE, Question


class OneFile:
    """A catalogue of one bundle."""

    def __init__(self, file: Path) -> None:
        manifest = read_bundle(file).manifest
        self._entry = Entry(
            release=manifest.release, use_case=manifest.use_case, file=file, sha256=file_sha256(file)
        )

    def standing(self) -> Sequence[Entry]:
        return [self._entry]

    def find(self, release: str) -> Entry:
        raise NotFoundError("release", release)


def plain(scorer: Scorer) -> App:
    """What the service does, without BentoML."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for told in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{told}.complete"})
            return
        body = scorer.answer(Question.from_json(scope["state"]["body"])).to_json()
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application


def by_bentoml(file: Path) -> App:
    from cloud_hub.serving import packages, service, shelf  # noqa: PLC0415 - they read what was prepared

    kept = shelf.Shelf(OneFile(file), packages.opened)
    kept.refresh()
    return service.application(kept)


def serve(state_dir: Path, bundle: Path, kind: str = "") -> None:
    environment.prepare(state_dir)
    issued = HubCertificates.of(state_dir)
    place = main.Place(
        listen="127.0.0.1",
        port=0,
        ca=issued.ca,
        certificate=issued.server_certificate,
        key=issued.server_key,
        revoked=issued.ca.with_name("revoked.crl"),
        note=state_dir / "run" / "scoring.json",
        own=HUB_NAME,
    )
    main.serve(plain(Scorer.of(read_bundle(bundle))) if kind else by_bentoml(bundle), place, lambda _: None)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
