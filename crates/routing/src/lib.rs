//! Resources, methods and routes, matched as Amazon API Gateway matches them.
