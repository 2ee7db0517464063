"""One machine: what it says, why, what happened, its raw windows."""
