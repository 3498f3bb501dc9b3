"""Engine environments: one isolated, locked, health-checked environment per engine and variant."""
