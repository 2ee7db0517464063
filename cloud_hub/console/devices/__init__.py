"""The fleet's devices: health, enrolment, the end."""
