"""What gateways tell by webhook, applied: through the same decisions as an answer or an inquiry."""
