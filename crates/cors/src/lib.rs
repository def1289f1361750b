//! Cross-origin resource sharing as a tower layer.
