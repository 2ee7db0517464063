"""The hub: one folder a stage, from ingest to console; `flows` joins stages."""
