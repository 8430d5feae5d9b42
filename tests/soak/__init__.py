"""The running house, process by process, on a cluster that plays at the live rate or faster."""
