"""The gateways themselves. Only bootstrap names them."""
