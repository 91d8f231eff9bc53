"""The trips that messages make through the hub, one module each, and the ports that they need. No I/O of its own."""
