-- What changed last in rollouts, which the console asks once a second: by the end of an index, however many devices.
CREATE INDEX rollout_device_changed ON rollout_device (changed);
CREATE INDEX device_release_changed ON device_release (changed);
