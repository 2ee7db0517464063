-- What pages about models ask by: what was made, told and run by a release.
CREATE INDEX alarm_of_release ON alarm (release, opened DESC);
CREATE INDEX device_release_of ON device_release (release);
CREATE INDEX run_of_use_case ON run (use_case, created DESC);
CREATE INDEX run_of_dataset ON run (dataset);
CREATE INDEX model_of_run ON model (run);
