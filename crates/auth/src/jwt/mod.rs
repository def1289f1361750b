//! JSON Web Tokens: OpenID Connect, OAuth 2.0, Cognito user pools.
