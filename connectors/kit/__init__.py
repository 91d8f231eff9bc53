"""The kit: what every connector shares - client, outbox, inbox, keys, and the trips that messages make at an agency."""
