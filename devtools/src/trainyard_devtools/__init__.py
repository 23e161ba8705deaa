"""trainyard_devtools."""
