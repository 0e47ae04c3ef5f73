"""What is measured, claim by claim."""
