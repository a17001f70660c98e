"""Studies: several configs and seeds, trained and tested one after the other."""
