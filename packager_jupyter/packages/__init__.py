"""What is curated: pointers, their index, drafts and immutable versions."""
