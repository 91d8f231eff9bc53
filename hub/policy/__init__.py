"""May this copy go there, and with what duties? Decided from facts and a policy set, and from nothing else."""
