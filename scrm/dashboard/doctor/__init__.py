"""The set-up doctor: what stands between a corp and its working day, and where to click."""
