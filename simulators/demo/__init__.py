"""The whole factory on one machine, driven the way a person would: by the `andon` commands."""
