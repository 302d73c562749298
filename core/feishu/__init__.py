"""Everything that knows the wire: the long connection, the API transport, one small module per API family."""
