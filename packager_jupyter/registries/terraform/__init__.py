"""Terraform and OpenTofu: providers, modules and the network mirror, over an OCI feed."""
