"""What crosses a wire or is checked by a third party. Pure: no sockets, no clock, no files, no environment."""
