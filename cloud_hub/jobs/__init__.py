"""Work that takes longer than a request: deferred into PostgreSQL, done by `andon hub work`."""
