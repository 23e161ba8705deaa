"""Tables that people upload to be trained on."""
