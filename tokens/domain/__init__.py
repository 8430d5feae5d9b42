"""Pure: what a launchpad message means and what follows from it. No ORM, no clock, no I/O."""
