"""The agent beside the machines: signals in, features, predictions and alarms out, exactly once.

What it has to say waits in an outbox on disk until the hub's database has it;
what it runs was signed for it. It works the same with the hub away.
"""
