"""What devices and machines say, made safe to print: a device is no one to move an operator's cursor."""


def printable(text: str) -> str:
    """``text`` on one line, with control characters, escapes and bidirectional marks spelt out."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
