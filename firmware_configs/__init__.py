"""What a device is and how its host is set up: profiles, systemd units, the broker's configuration."""
