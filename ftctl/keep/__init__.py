"""Keep a deployment's server up: `ftctl _keep NAME`, one process for each deployment."""
