//! The layer, which is a guard as well.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::header;
use portcullis_core::{
    ApiKind, BodyGuardLayer, BodyGuarded, BoxAsk, Clock, Decision, Guard, Head, Mode, Rejection,
    RejectionKind, RequestContext, SystemClock, Verdict,
};
use tower_layer::Layer;

use super::chunked::Chunks;
use super::refusal;
use super::stream::SigV4StreamLayer;
use super::verifier::SigV4Verifier;
use super::verify::{Claim, Signature, SignedRequest, payload_hash};
use crate::access::Authorization;
use crate::credentials::{Credential, CredentialLookup, CredentialStore, StoreError};

/// How much of a body is read, unless something else is said: what the service takes.
const BODY_LIMIT: u64 = 10 * 1024 * 1024;
/// From which declared length on a request is judged by its head before its body is read.
const LARGE: u64 = 64 * 1024;

/// Lets signed requests through, and puts who signed them into their [`RequestContext`].
///
/// It reads bodies up to a limit, since a signature covers them; [`streaming`](Self::streaming) does not. Of a body over 64 KiB it first makes sure that the head can be
/// right. What is signed is the request as it came: the target that the [`RequestContext`] has, which the outermost layer made.
///
/// See the [module's documentation](super) for an example. Clones share rules, keys and store. It is a [`Guard`] as well: a link of a chain.
#[derive(Clone)]
#[must_use]
pub struct SigV4Layer {
    pub(super) shared: Arc<Shared>,
}

#[derive(Clone)]
pub(super) struct Shared {
    verifier: Arc<SigV4Verifier>,
    store: Arc<dyn CredentialStore>,
    authorization: Option<Authorization>,
    body_limit: u64,
    clock: Arc<dyn Clock>,
    kind: ApiKind,
    pub(super) mode: Mode,
}

impl SigV4Layer {
    /// A layer that verifies by `verifier` with the keys of `store`. Whoever signed passes, unless it is to [authorize](Self::authorize), too.
    pub fn new(verifier: SigV4Verifier, store: impl CredentialStore) -> Self {
        Self {
            shared: Arc::new(Shared {
                verifier: Arc::new(verifier),
                store: Arc::new(store),
                authorization: None,
                body_limit: BODY_LIMIT,
                clock: Arc::new(SystemClock::new()),
                kind: ApiKind::Rest,
                mode: Mode::Enforce,
            }),
        }
    }

    /// Asks policies whether the caller may do what it asks for.
    pub fn authorize(self, authorization: Authorization) -> Self {
        self.with(|shared| shared.authorization = Some(authorization))
    }

    /// Reads bodies of up to this many bytes; a longer one is answered 413. Default: 10 MiB.
    pub fn body_limit(self, bytes: u64) -> Self {
        self.with(|shared| shared.body_limit = bytes)
    }

    /// Takes the time from `clock`.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        self.with(|shared| shared.clock = clock)
    }

    /// Refuses as an API of this kind does: an HTTP API says `Forbidden` to everything. Default: as a REST API.
    pub fn kind(self, kind: ApiKind) -> Self {
        self.with(|shared| shared.kind = kind)
    }

    /// **Lets every request through** and only writes down what would be refused.
    pub fn dangerous_observe(self) -> Self {
        tracing::warn!("signatures are only observed: requests pass without one");
        self.with(|shared| shared.mode = Mode::Observe)
    }

    /// The same as a layer that reads no body before it calls the service: see [`SigV4StreamLayer`].
    pub fn streaming(self) -> SigV4StreamLayer {
        SigV4StreamLayer::new(self)
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        change(Arc::make_mut(&mut self.shared));
        self
    }
}

/// The request as it came.
pub(super) fn as_it_came<'a>(head: &Head<'a>) -> SignedRequest<'a> {
    match head.context() {
        Some(context) => SignedRequest::from_parts(context.method(), context.uri(), head.headers()),
        None => SignedRequest::from_parts(head.method(), head.uri(), head.headers()),
    }
}

/// What there is to check besides the signature itself.
pub(super) struct Payload<'a> {
    pub(super) hash: &'a str,
    /// The body, if it is here.
    pub(super) bytes: Option<&'a Bytes>,
}

impl Shared {
    /// Reads what a request presents.
    pub(super) fn read<'a>(
        &self,
        request: &SignedRequest<'a>,
        now: SystemTime,
    ) -> Result<Signature<'a>, Rejection> {
        self.verifier
            .read(request, now)
            .map_err(|rejection| self.word(rejection))
    }

    /// The refusal in the words of the API's kind.
    pub(super) fn word(&self, rejection: Rejection) -> Rejection {
        let missing = rejection.kind() == RejectionKind::MissingAuthenticationToken;
        match self.kind {
            // To an HTTP API the kind means that there is no such route.
            ApiKind::Http if missing => {
                let decision = rejection.decision().cloned();
                let forbidden = Rejection::new(RejectionKind::AccessDenied).for_api(ApiKind::Http);
                decision
                    .into_iter()
                    .fold(forbidden, Rejection::with_decision)
            }
            kind => rejection.for_api(kind),
        }
    }

    pub(super) fn now(&self) -> SystemTime {
        self.clock.wall()
    }

    /// Verifies a signature and asks the policies, from memory or by a question.
    pub(super) fn decide(
        self: &Arc<Self>,
        head: &Head<'_>,
        request: &SignedRequest<'_>,
        signature: Signature<'_>,
        payload: &Payload<'_>,
        now: SystemTime,
    ) -> Verdict<BoxAsk> {
        let rules = self.verifier.rules();
        let claim = signature.claim(request, rules, payload.hash);
        match self.store.find(signature.access_key_id()) {
            CredentialLookup::Ready(found) => {
                let outcome = self
                    .verify(&claim, &signature, found.as_ref(), payload.bytes, head, now)
                    .and_then(|key| {
                        self.authorize(&key, head, now)?;
                        Ok(key)
                    });
                match outcome {
                    Ok(key) => {
                        if let Some(context) = head.context() {
                            tell(context, &key);
                        }
                        Verdict::Pass
                    }
                    Err(rejection) => Verdict::Refuse(self.word(rejection)),
                }
            }
            CredentialLookup::Later(answer) => {
                let kept = match &self.authorization {
                    None => None,
                    Some(authorization) => match authorization.keep(head, now) {
                        Ok(kept) => Some(kept),
                        Err(rejection) => return Verdict::Refuse(self.word(rejection)),
                    },
                };
                let length = decoded_length(head);
                let (own, signature) = (Arc::clone(self), signature.into_owned());
                let (body, context) = (payload.bytes.cloned(), head.context().cloned());
                Verdict::Ask(Box::pin(async move {
                    let outcome = async {
                        let found = answer.await.map_err(|error| away(&error))?;
                        let key = own.settle(&claim, &signature, found.as_ref(), now)?;
                        own.check_chunks(&signature, &key, body.as_ref(), length)?;
                        if let (Some(authorization), Some(kept)) = (&own.authorization, &kept) {
                            authorization.check(key.caller(), &kept.operation, &kept.keys)?;
                        }
                        Ok(key)
                    };
                    let key = outcome.await.map_err(|rejection| own.word(rejection))?;
                    if let Some(context) = context {
                        tell(&context, &key);
                    }
                    Ok(())
                }))
            }
        }
    }

    fn verify(
        &self,
        claim: &Claim,
        signature: &Signature<'_>,
        found: Option<&Credential>,
        body: Option<&Bytes>,
        head: &Head<'_>,
        now: SystemTime,
    ) -> Result<Credential, Rejection> {
        let key = self.settle(claim, signature, found, now)?;
        self.check_chunks(signature, &key, body, decoded_length(head))?;
        Ok(key)
    }

    fn settle(
        &self,
        claim: &Claim,
        signature: &Signature<'_>,
        found: Option<&Credential>,
        now: SystemTime,
    ) -> Result<Credential, Rejection> {
        self.verifier.settle(claim, signature, found, now)?;
        // `settle` refuses where there is no key.
        found
            .cloned()
            .ok_or_else(|| RejectionKind::UnrecognizedClient.into())
    }

    fn check_chunks(
        &self,
        signature: &Signature<'_>,
        key: &Credential,
        body: Option<&Bytes>,
        length: Option<u64>,
    ) -> Result<(), Rejection> {
        if !signature.is_chunked() {
            return Ok(());
        }
        let signing_key = self.verifier.signing_key(signature, key);
        let body = body.map(Bytes::as_ref).unwrap_or_default();
        Chunks::new(signature, &signing_key)
            .decode(body, length)
            .map(drop)
    }

    fn authorize(
        &self,
        key: &Credential,
        head: &Head<'_>,
        now: SystemTime,
    ) -> Result<(), Rejection> {
        let Some(authorization) = &self.authorization else {
            return Ok(());
        };
        let operation = authorization.operation(head)?;
        let keys = authorization.keys(head, now);
        authorization.check(key.caller(), &operation, &keys)
    }
}

fn decoded_length(head: &Head<'_>) -> Option<u64> {
    let length = head.headers().get("x-amz-decoded-content-length")?;
    length.to_str().ok()?.parse().ok()
}

/// Writes down who signed: `$context.identity`.
fn tell(context: &RequestContext, key: &Credential) {
    let caller = key.caller();
    let principal = caller.principal();
    context.update_identity(|identity| {
        identity.access_key = Some(Arc::clone(key.access_key_id()));
        identity.account_id = principal.shared_account().cloned();
        identity.caller = Some(Arc::clone(caller.user_id()));
        identity.user = Some(Arc::clone(caller.user_id()));
        identity.user_arn = Some(Arc::clone(principal.shared_arn()));
        identity.principal_org_id = caller.organization_id().cloned();
    });
}

/// Nobody is let in because a store is away.
fn away(error: &StoreError) -> Rejection {
    let decision = Decision::new("auth", "sigv4/store-away").with("error", error.to_string());
    Rejection::new(RejectionKind::AuthorizerFailure).with_decision(decision)
}

impl Guard for SigV4Layer {
    type Ask = BoxAsk;

    const NEEDS_CONTEXT: bool = true;

    const READS_BODY: bool = true;

    const NAME: &'static str = "signature";

    fn body_limit(&self, head: &Head<'_>) -> Option<u64> {
        let length = head.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        let chunked = head.headers().contains_key(header::TRANSFER_ENCODING);
        if chunked || length.is_some_and(|length| length > LARGE) {
            let request = as_it_came(head);
            self.shared.read(&request, self.shared.now()).ok()?;
        }
        Some(self.shared.body_limit)
    }

    fn check(&self, head: &Head<'_>) -> Verdict<BoxAsk> {
        let (request, now) = (as_it_came(head), self.shared.now());
        let signature = match self.shared.read(&request, now) {
            Ok(signature) => signature,
            Err(rejection) => return Verdict::Refuse(rejection),
        };
        // Its head was bad when `body_limit` looked at it, and is good a moment later: what was not read is not verified.
        let Some(body) = head.body() else {
            return Verdict::Refuse(self.shared.word(refusal::body_not_read()));
        };
        let hash = payload_hash(body.bytes());
        let payload = Payload {
            hash: hash.as_str(),
            bytes: Some(body.bytes()),
        };
        self.shared.decide(head, &request, signature, &payload, now)
    }

    fn mode(&self) -> Mode {
        self.shared.mode
    }
}

impl<S> Layer<S> for SigV4Layer {
    type Service = BodyGuarded<S, Self>;

    fn layer(&self, inner: S) -> BodyGuarded<S, Self> {
        BodyGuardLayer::new(self.clone()).layer(inner)
    }
}

impl fmt::Debug for SigV4Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigV4Layer")
            .field("verifier", &self.shared.verifier)
            .field("authorization", &self.shared.authorization)
            .field("body_limit", &self.shared.body_limit)
            .field("mode", &self.shared.mode)
            .finish_non_exhaustive()
    }
}
