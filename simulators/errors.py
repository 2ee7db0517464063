"""What a simulator refuses to do, each with the sentence a person reads."""


class SimulatorError(Exception):
    """A simulation or a replay cannot be run as asked."""


class SettingError(SimulatorError):
    """A number or a name given to a simulator cannot be used."""


class RecordingError(SimulatorError):
    """A file of recorded data is missing, or is not what it was said to be."""


class TruthError(SimulatorError):
    """The truth directory is missing, damaged, or belongs to another simulation."""
