//! Test helpers shared by the crates of Portcullis.
