//! Tokens, through the layer.

mod cases;
mod hostile;
mod keys;
mod layer;
mod logs;
mod support;
