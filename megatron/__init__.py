"""How the house is put together, and the cellar that every room stands on."""
