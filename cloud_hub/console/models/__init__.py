"""Use cases and their versions: what each lacks, where its numbers come from, what people decide."""
