"""Stripe: PaymentIntents with manual capture, cancellation, refunds, 3-D Secure."""
