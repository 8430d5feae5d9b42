"""How the console writes times (Django's FORMAT_MODULE_PATH)."""
