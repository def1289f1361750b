//! Tokens, through the layer.

mod cases;
