"""The peers: each as its tutorial has it, one user, one way in, one protected address."""
