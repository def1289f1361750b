//! The vocabulary of Portcullis: request context, guards, refusals, bodies, clock.
