//! Gateway responses: the look of what a gateway answers by itself.
