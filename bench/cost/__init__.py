"""What a run takes and where it took place: time, memory, energy, machine."""
