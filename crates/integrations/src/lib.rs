//! What stands behind a method: mocks, HTTP endpoints and functions.
