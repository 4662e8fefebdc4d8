"""The unit of times and durations."""

Micros = int  # since the epoch
