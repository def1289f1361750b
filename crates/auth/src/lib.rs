//! Who is calling, and may they: tokens, keys, signatures and policies as tower layers.
