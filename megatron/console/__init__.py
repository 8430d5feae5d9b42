"""The operator's console: what is on every page, and the desk that answers "what needs me now?"."""
