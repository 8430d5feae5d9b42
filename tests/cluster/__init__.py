"""A stand-in for a Solana cluster: a chain with launchpad traffic, served on loopback by WebSocket and JSON-RPC."""
