"""The registry office: it enrols partners, and writes and signs the directory. It never sees a message."""
