"""What `make bench` runs. Each figure stands beside a baseline of the same run, because machines are noisy."""
