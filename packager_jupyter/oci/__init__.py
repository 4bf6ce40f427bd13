"""Where everything published is kept: OCI descriptors, manifests and stores."""
