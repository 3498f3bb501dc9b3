"""GPU leases: who uses which GPU, held by the kernel for as long as its process lives."""
