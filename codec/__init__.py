"""The codec: pictures to bytes and back, the networks, their training and their evaluation."""
