"""Wire formats of other people's services. The ``.proto`` files are ours, with the field numbers of the interfaces; the
modules beside them are written from these by ``make protocols`` and never by hand."""
