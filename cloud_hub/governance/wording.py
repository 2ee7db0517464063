"""An act of the chain in words, and what it was done to. Pure.

An act that has no words here is told by its name: what is new is shown before somebody finds words for it.
"""

from collections.abc import Mapping
from types import MappingProxyType

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "alarm.judge": "judged an alarm of {}",
        "capture.ask": "asked for a capture of {}",
        "device.add": "added {}",
        "device.pin": "pinned {}",
        "device.retire": "retired {}",
        "device.token": "made an enrolment token for {}",
        "device.unpin": "unpinned {}",
        "engine.publish": "published the engine {}",
        "hub.restored": "restored the hub from a backup",
        "keys.delegate": "delegated signing to {}",
        "keys.director.add": "let the director {} direct devices",
        "keys.director.remove": "took the right to direct from {}",
        "keys.encrypt": "sealed the keys in {}",
        "keys.renew": "signed {} anew",
        "keys.revoke": "revoked the keys {}",
        "keys.rotate": "changed the keys {}",
        "label.failure": "logged a failure of {}",
        "label.maintenance": "logged maintenance of {}",
        "model.gc": "removed files that nothing needs",
        "person.add": "added {}",
        "person.disable": "shut {} out",
        "person.enable": "let {} in again",
        "person.link": "made a link for {}",
        "person.password": "chose a password for {}",
        "person.role": "changed what {} may do",
        "person.sign-out": "signed {} out",
        "person.sso": "linked {} to single sign-on",
        "person.terminal": "changed the terminal accounts of {}",
        "quarantine.replay": "replayed from quarantine {}",
        "release.approve": "approved {}",
        "release.publish": "published {}",
        "release.publish-again": "had {} published again",
        "release.publish-failed": "could not publish {}",
        "release.refuse": "refused {} for good",
        "release.weigh": "weighed other precisions of {}",
        "retrain.all_rows": "took older rows along for {}",
        "retrain.cancel": "cancelled {}",
        "retrain.done": "finished {}",
        "retrain.fail": "failed at {}",
        "retrain.request": "asked for {}",
        "rollout.abort": "aborted {}",
        "rollout.approve": "approved the next wave of {}",
        "rollout.await": "let {} wait for approval",
        "rollout.done": "ended {}: done",
        "rollout.halt": "halted {}",
        "rollout.pause": "paused {}",
        "rollout.resume": "resumed {}",
        "rollout.start": "started {}",
        "rollout.supersede": "ended {} for another rollout",
        "rollout.undo": "undid {}",
        "rollout.widen": "opened the next wave of {}",
        "snapshot.done": "made the dataset {}",
        "snapshot.fail": "could not make the dataset of request {}",
        "snapshot.request": "asked for a dataset, as request {}",
        "token.make": "made a token for {}",
        "token.revoke": "revoked a token of {}",
    }
)
KINDS: Mapping[str, str] = MappingProxyType(
    {
        "alarm": "machine",
        "capture": "machine",
        "device": "device",
        "label": "machine",
        "person": "person",
        "release": "release",
        "retrain": "run",
        "rollout": "rollout",
        "token": "person",
    }
)


def told(action: str) -> tuple[str, str]:
    """What stands before and behind the subject in a sentence that begins with the actor."""
    before, _, behind = WORDS.get(action, f"did {action} to {{}}").partition("{}")
    return before, behind


def names_subject(action: str) -> bool:
    """Whether the sentence has a place for its subject."""
    return "{}" in WORDS.get(action, "{}")


def kind(action: str) -> str:
    """What the subject is: a machine, device, person, release, run or rollout; empty where it is none."""
    return KINDS.get(action.partition(".")[0], "")
