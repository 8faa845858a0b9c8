"""Pieces computed by a Dask cluster: on this machine, at an address, through a queue of jobs or in Kubernetes."""
