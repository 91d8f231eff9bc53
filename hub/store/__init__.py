"""Where the exchange keeps what it promised: stores that implement the ports of `hub/broker/ports.py`."""
