"""The API's doors of this room, a module a subject; ``urls`` has the addresses."""
