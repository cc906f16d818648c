"""What is kept: the nouns on disk. LMDB is behind ``environment``, FAISS behind ``flat``."""
