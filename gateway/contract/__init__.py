"""What the control plane, the lake and the SDKs may import from the gateway: flat, versioned structs."""
