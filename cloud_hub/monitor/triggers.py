"""Whether a use case is to be trained again now, and why; or why not yet. Pure.

A training that leads nowhere must not be repeated for ever: each one since the champion's own
doubles the time until the next, whether it failed, was refused or waits for a person.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud_hub.store.database import load_queries
from models.declared.retraining import Drift, Retrain

SQL = load_queries("cloud_hub.monitor")
MOST_DOUBLINGS = 5
AT_WORK = ("queued", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a use case stands; the fields are the columns of the query of that name."""

    champion: str | None
    run: str | None  # the newest training
    state: str | None
    created: datetime | None
    tried: int  # trainings since the champion's own
    failures: int  # that no training knew yet
    verdicts: int
    rollout: str | None  # that is under way


def held(rule: Retrain, standing: Standing, now: datetime) -> str:
    """Why nothing is started whatever the triggers say; empty where something may be."""
    if standing.champion is None or standing.created is None:
        return "there is no champion yet: the first training is for a person to ask for"
    if standing.state in AT_WORK:
        return f"{standing.run} is {standing.state}"
    if standing.rollout:
        return f"rollout {standing.rollout} is under way"
    until = standing.created + cooldown(rule, standing.tried)
    if now < until:
        return f"{standing.run} was the last training: cooling down until {until:%Y-%m-%d %H:%M}"
    return ""


def gathering(rule: Retrain, since: datetime, now: datetime) -> str:
    """Why drift that was first seen at ``since`` starts nothing yet; empty where it has lasted."""
    if rule.drift is None or now >= (until := since + timedelta(days=rule.drift.lasting_days)):
        return ""
    return (
        f"drift since {since:%Y-%m-%d %H:%M}: rows of the new world are gathered until {until:%Y-%m-%d %H:%M}"
    )


def new_world(rule: Drift, since: datetime) -> datetime | None:
    """From when on rows are learnt from, if drift was first seen at ``since`` and has lasted; None: all are.

    Who learns from before and after learns an average of two worlds, one of which has passed. The rows that
    gave the drift away are taken along. Where drift need not last, nothing was gathered to learn from alone.
    """
    return since - timedelta(days=rule.days) if rule.lasting_days else None


def cooldown(rule: Retrain, tried: int) -> timedelta:
    """Time from one training to the next, with ``tried`` of them since that of the champion."""
    doublings = min(max(tried - 1, 0), MOST_DOUBLINGS)
    return timedelta(days=rule.cooldown_days * 2**doublings)


def reasons(rule: Retrain, standing: Standing, now: datetime) -> tuple[str, ...]:
    """Why to train again, drift aside; a sentence each."""
    found = []
    days = (now - standing.created).total_seconds() / 86_400 if standing.created else 0.0
    if rule.every_days and days >= rule.every_days:
        found.append(f"schedule: {days:.0f} days since the last training")
    for name, count, least in (
        ("failure", standing.failures, rule.failures),
        ("verdict", standing.verdicts, rule.verdicts),
    ):
        if least and count >= least:
            found.append(f"{count} new {name}{'s' if count > 1 else ''}")
    return tuple(found)
