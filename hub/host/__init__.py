"""What every program of ours, hub and connector alike, needs of the machine that it runs on."""
