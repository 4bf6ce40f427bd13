"""Package registries over HTTP: thin routes above the protocol modules in `registries`."""
