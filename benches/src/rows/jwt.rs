//! Verification of a token, beside the signature alone, and of one that comes again. Every request brings its context, as behind a gateway's front.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::LazyLock;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
use jsonwebtoken::{Algorithm as Name, DecodingKey, Validation};
use portcullis_auth::jwt::{Algorithm, Issuer, JwtLayer, Key, KeySet, Verifier};
use portcullis_core::RequestContext;
use serde::Deserialize;
use tower_layer::Layer;
use tower_service::Service;

use super::surroundings::{Body, Hello, answer, pet, request};
use crate::row::{Case, Goal, Who};

const ISSUER: &str = "https://id.example.com";
const CLAIMS: &str = r#"{"iss":"https://id.example.com","sub":"0193f6a2","aud":"pets","exp":4102444800,"iat":1709251170,"scope":"openid pets:read pets:write","email":"ann@example.com"}"#;

pub(super) fn cases() -> Vec<Case> {
    vec![
        verified("rs256", &RSA).goal(Goal::TimesFloorInTime(1.1)),
        verified("es256", &CURVE).goal(Goal::TimesFloorInTime(1.1)),
        verified("hs256", &SECRET).goal(Goal::TimesFloorInTime(3.0)),
        // The floor is a signature of RSA, which a token that comes again does without.
        Case::new("jwt", "cached")
            .row(Who::Bare, || with(&RSA, Hello))
            .row(Who::Floor, || with(&RSA, Signature(&RSA)))
            .row(Who::Portcullis, || with(&RSA, layer(&RSA, 1 << 20)))
            .goal(Goal::TimesFloorInTime(0.03))
            .goal(Goal::AllocationsOverBare(0.0)),
    ]
}

/// A token that nobody has seen before.
fn verified(name: &str, sample: &'static LazyLock<Sample>) -> Case {
    Case::new("jwt", name)
        .row(Who::Bare, || with(sample, Hello))
        .row(Who::Floor, || with(sample, Signature(sample)))
        .row(Who::Portcullis, || with(sample, layer(sample, 0)))
        .row(Who::Peer("jsonwebtoken"), || {
            with(sample, Peer::new(sample))
        })
}

fn with<S>(sample: &'static Sample, mut service: S) -> impl FnMut() -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let uri = pet();
    let value = HeaderValue::try_from(format!("Bearer {}", sample.token)).expect("ASCII");
    move || {
        let mut request = request(&uri);
        request.headers_mut().insert(AUTHORIZATION, value.clone());
        RequestContext::of(&mut request);
        answer(&mut service, request)
    }
}

fn layer(
    sample: &Sample,
    cache_bytes: u64,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible> + use<> {
    let issuer = match &sample.check {
        Check::Public(_) => {
            Issuer::given(ISSUER, KeySet::from_jwks(&sample.key_set).expect("keys"))
        }
        Check::Secret(_) => {
            let key = Key::secret(Algorithm::HS256, SECRET_BYTES).expect("a secret");
            Issuer::given(ISSUER, [key])
        }
    };
    let issuer = issuer.expect("a key").audience("pets");
    let verifier = Verifier::from(issuer).cache_bytes(cache_bytes);
    JwtLayer::new(verifier)
        .require_scopes(["pets:read"])
        .layer(Hello)
}

/// A token, and what verifies it.
struct Sample {
    token: String,
    check: Check,
    key_set: String,
    peer: DecodingKey,
    name: Name,
}

enum Check {
    Public(ParsedPublicKey),
    Secret(hmac::Key),
}

const SECRET_BYTES: [u8; 32] = *b"0123456789abcdef0123456789abcdef";

// Public keys and signatures by them, made once: a key that each process made anew would cost each another number of instructions.
const MODULUS: &str = "w9rW-sIZaWvnnlJHeIjRnWbuVIgNDTMVLGFy8P8-l1KPrBJJQHEqWg6H5MuwPjP5OuZidcE_lV_JiUGrrAFxcfEg7kYBaaPSJK3h2sybhke8PdX0HiIu36UAWIR12uB2XmuZqTH7Y34QpC9QoAD2XOMpmhKscb3mTeUSLNMEnn0w2Jn09Xb8V94ebHTMAXQ979KjReNO8kRWkIms7tVsFSb70OrI17h93KoHclsg1--mGjM_QvLA__5vRl4PsqPUKUvnBBR7IlVH9oFZZO0JlsZUP37N0n1PWy3oko_1FJt6SEkpLdXEtmeH_T5B_wIVVKhyO-6AcnI4aJBU3VVqLQ";
const EXPONENT: &str = "AQAB";
const RSA_PUBLIC_KEY: &str = "MIIBCgKCAQEAw9rW-sIZaWvnnlJHeIjRnWbuVIgNDTMVLGFy8P8-l1KPrBJJQHEqWg6H5MuwPjP5OuZidcE_lV_JiUGrrAFxcfEg7kYBaaPSJK3h2sybhke8PdX0HiIu36UAWIR12uB2XmuZqTH7Y34QpC9QoAD2XOMpmhKscb3mTeUSLNMEnn0w2Jn09Xb8V94ebHTMAXQ979KjReNO8kRWkIms7tVsFSb70OrI17h93KoHclsg1--mGjM_QvLA__5vRl4PsqPUKUvnBBR7IlVH9oFZZO0JlsZUP37N0n1PWy3oko_1FJt6SEkpLdXEtmeH_T5B_wIVVKhyO-6AcnI4aJBU3VVqLQIDAQAB";
const RSA_SIGNATURE: &str = "NBpMbWK59DccTvOaZL6TMXDnjCnwEUEaWGwr1vxdaXqb2jQLDH16RsdpbgzlJnOUzj9QAOEK6AimnnGKXiirNQCxqd4nCvK4NXWi1wdjEAmUY6UqZEcD3luFXuhkm2waAgsOgz7fZ0WzUoNzScH9SPSNmB49hI4qKPsF0tTlUruElhxnjEvYMAbPYyT1l9459LLucp8wnjNjDTjf2XTXyzkZrR-LN4wtAw8qnUUllFbtC3jmW-ZvZYAN1E09xa4e0cTQWyiXtFfHUceDqkBTaydfd8lhVjHa3cQ1-o4HZXo45Q1a-KluEII4Tv7Rp_a8QCYbTdFe52MJ-FMGbZJMaw";
const CURVE_X: &str = "Ffa1p0HDGNwfBUl4xpgm-jtfZYqQvchcanNhhzQSNms";
const CURVE_Y: &str = "df-46biHR7atRSR6JDFXtGOIGFlHb2N3Ftq6N7w37Sg";
const CURVE_SIGNATURE: &str =
    "NFbrUxrnQgE4wPaAYNhQVx1TPt5v-6N_E7TkEeiTjKVNP5xXb-osVrNvbATNkKyFVJqztLjgEhatqRvF_qXBCg";

static RSA: LazyLock<Sample> = LazyLock::new(|| {
    let public = decoded(RSA_PUBLIC_KEY);
    let check = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public);
    Sample {
        token: format!("{}.{RSA_SIGNATURE}", message("RS256")),
        check: Check::Public(check.expect("a public key")),
        peer: DecodingKey::from_rsa_components(MODULUS, EXPONENT).expect("a key"),
        key_set: format!(
            r#"{{"keys":[{{"kty":"RSA","kid":"k","alg":"RS256","n":"{MODULUS}","e":"{EXPONENT}"}}]}}"#
        ),
        name: Name::RS256,
    }
});

static CURVE: LazyLock<Sample> = LazyLock::new(|| {
    let point = [vec![4], decoded(CURVE_X), decoded(CURVE_Y)].concat();
    let check = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    Sample {
        token: format!("{}.{CURVE_SIGNATURE}", message("ES256")),
        check: Check::Public(check.expect("a public key")),
        peer: DecodingKey::from_ec_components(CURVE_X, CURVE_Y).expect("a key"),
        key_set: format!(
            r#"{{"keys":[{{"kty":"EC","crv":"P-256","kid":"k","alg":"ES256","x":"{CURVE_X}","y":"{CURVE_Y}"}}]}}"#
        ),
        name: Name::ES256,
    }
});

fn decoded(text: &str) -> Vec<u8> {
    BASE64.decode(text).expect("base64url")
}

static SECRET: LazyLock<Sample> = LazyLock::new(|| {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &SECRET_BYTES);
    let message = message("HS256");
    let signature = hmac::sign(&key, message.as_bytes());
    Sample {
        token: format!("{message}.{}", BASE64.encode(signature)),
        check: Check::Secret(key),
        peer: DecodingKey::from_secret(&SECRET_BYTES),
        key_set: String::new(),
        name: Name::HS256,
    }
});

fn message(algorithm: &str) -> String {
    let header = format!(r#"{{"alg":"{algorithm}","typ":"JWT","kid":"k"}}"#);
    format!("{}.{}", BASE64.encode(header), BASE64.encode(CLAIMS))
}

fn token_of(request: &Request<Body>) -> &str {
    let value = request.headers().get(AUTHORIZATION).expect("a header");
    let value = value.to_str().expect("ASCII");
    value.strip_prefix("Bearer ").expect("a token")
}

/// The floor: the signature with a parsed key, and not a look at what is signed.
struct Signature(&'static Sample);

impl Service<Request<Body>> for Signature {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <Hello as Service<Request<Body>>>::Future;

    fn poll_ready(
        &mut self,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (message, signature) = token_of(&request).rsplit_once('.').expect("three parts");
        let mut bytes = [0; 512];
        let length = BASE64
            .decode_slice(signature, &mut bytes)
            .expect("base64url");
        let (message, signature) = (black_box(message.as_bytes()), &bytes[..length]);
        match &self.0.check {
            Check::Public(key) => key.verify_sig(message, signature).expect("it is signed"),
            Check::Secret(key) => hmac::verify(key, message, signature).expect("it is signed"),
        }
        Hello.call(request)
    }
}

/// What a user writes with `jsonwebtoken`.
struct Peer {
    key: &'static DecodingKey,
    validation: Validation,
}

#[derive(Deserialize)]
struct Claims {
    scope: String,
}

impl Peer {
    fn new(sample: &'static Sample) -> Self {
        let mut validation = Validation::new(sample.name);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&["pets"]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.leeway = 0;
        Self {
            key: &sample.peer,
            validation,
        }
    }
}

impl Service<Request<Body>> for Peer {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <Hello as Service<Request<Body>>>::Future;

    fn poll_ready(
        &mut self,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let token = token_of(&request);
        let token = jsonwebtoken::decode::<Claims>(token, self.key, &self.validation);
        let claims = token.expect("a good token").claims;
        assert!(claims.scope.split(' ').any(|scope| scope == "pets:read"));
        request.extensions_mut().insert(claims.scope);
        Hello.call(request)
    }
}
