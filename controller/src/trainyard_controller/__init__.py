"""trainyard_controller."""
