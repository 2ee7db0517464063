"""What is said to people and what they say in forms: one way to end a sentence, one to ask for a reason."""

LONGEST_REASON = 500  # characters


def sentence(text: str) -> str:
    """``text`` with a capital and a full stop; nothing stays nothing."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}" if text else ""


def one_line(text: str) -> str:
    """What was typed, without the line ends and double spaces of pasting."""
    return " ".join(text.split())


def objection(reason: str, *, needed: bool = True) -> str:
    """Why ``reason`` cannot be kept in the audit chain, as a sentence; empty where it can."""
    if needed and not reason:
        return "Say why: the reason goes into the audit chain."
    if len(reason) > LONGEST_REASON:
        return f"Say it in {LONGEST_REASON} characters; this reason has {len(reason)}."
    return ""
