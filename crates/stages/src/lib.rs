//! Hosts, base paths and stages: which API a request is for.
