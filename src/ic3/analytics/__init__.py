"""Numbers only: anomaly detection, pump health, water balance; arrays in, arrays out."""
