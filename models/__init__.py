"""What a use case is, the networks it trains, and their export to ONNX; no weights live here."""
