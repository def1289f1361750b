//! Tokens that PyJWT makes.

use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portcullis_auth::jwt::{Algorithm, Issuer, Key, KeySet, Verifier};
use portcullis_core::ManualClock;
use portcullis_testkit::installed;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Minted {
    keys: Value,
    secret: String,
    /// What it is, the token, and whether it is good; null: only with the secret.
    tokens: Vec<(String, String, Option<bool>)>,
}

#[tokio::test]
async fn tokens_of_pyjwt_are_judged_as_pyjwt_would() {
    let Some(python) = installed("venv/bin/python") else {
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/issuers/mint.py");
    let output = Command::new(python)
        .arg(script)
        .output()
        .expect("python starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let minted: Minted = serde_json::from_slice(&output.stdout).expect("tokens");
    let verifier = |issuer: Issuer| Verifier::from(issuer).clock(ManualClock::default());
    let name = "https://id.example.com";
    let keys = KeySet::from_jwks(minted.keys.to_string()).expect("keys");
    let public = verifier(Issuer::given(name, keys).expect("keys").audience("pets"));
    let secret = STANDARD.decode(minted.secret).expect("base64");
    let secret = Key::secret(Algorithm::HS256, secret).expect("a key");
    let secret = verifier(
        Issuer::given(name, [secret])
            .expect("a key")
            .audience("pets"),
    );
    let mut good = 0;
    for (what, token, expected) in &minted.tokens {
        let verified = public.verify(token).await;
        assert_eq!(
            verified.is_ok(),
            *expected == Some(true),
            "{what}: {verified:?}"
        );
        good += usize::from(verified.is_ok());
        let verified = secret.verify(token).await;
        assert_eq!(verified.is_ok(), expected.is_none(), "{what}: {verified:?}");
    }
    assert_eq!(good, 12, "each algorithm, several audiences, fractions");
}
