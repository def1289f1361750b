//! What is logged: never a token, never a secret.

use std::io;
use std::sync::{Arc, Mutex};

use portcullis_auth::jwt::{Algorithm, Issuer, Key};
use portcullis_core::ManualClock;
use portcullis_testkit::{Conduct, MockIssuer, Signer};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{ISSUER, ask, claims, discovered, layer};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_part_of_a_token_and_no_secret_is_ever_logged() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);

    let clock = ManualClock::default();
    let signer = Signer::generate("ES256", "k");
    let other = Signer::generate("ES256", "unknown");
    let issuer = MockIssuer::start(ISSUER, &[&signer]).await;
    let pets = discovered(&issuer, &clock).audience("pets");
    let observed = layer(pets.clone(), &clock).dangerous_observe();
    let fetched = layer(pets, &clock).require_scopes(["pets:write"]);
    let secret = "a secret of at least thirty-two bytes";
    let key = Key::secret(Algorithm::HS256, secret).expect("a key");
    let shared = layer(
        Issuer::given(ISSUER, [key])
            .expect("a key")
            .audience("pets"),
        &clock,
    );

    let tokens = [
        signer.sign(&claims(json!({}))),
        signer.sign(&claims(json!({"exp": 1}))),
        signer.sign(&claims(json!({"aud": "confidential-audience"}))),
        other.sign(&claims(json!({}))),
        "confidential.token.garbage".to_owned(),
    ];
    for layer in [&fetched, &shared, &observed] {
        for token in &tokens {
            let answer = ask(layer, token).await;
            tracing::info!(?answer, ?layer, "seen");
        }
    }
    issuer.behave(Conduct::Status(500));
    for issuer in fetched.verifier().issuers() {
        let outcome = issuer.refresh().await;
        tracing::info!(?outcome, "refreshed");
    }

    drop(guard);
    let text = String::from_utf8(log.0.lock().expect("the log").clone()).expect("text");
    assert!(
        text.contains("would refuse") && text.contains("cannot be fetched"),
        "{text}"
    );
    assert!(
        !text.contains("confidential") && !text.contains(secret),
        "{text}"
    );
    for part in tokens[..4].iter().flat_map(|token| token.split('.')) {
        assert!(!text.contains(part), "{part} in {text}");
    }
}
