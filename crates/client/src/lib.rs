//! Outbound HTTP for Portcullis: one pooled client over rustls.
