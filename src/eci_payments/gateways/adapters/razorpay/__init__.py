"""Razorpay: orders, payments from server to server, capture, refunds, for cards, UPI, net banking and wallets."""
