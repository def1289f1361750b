//! Tokens believed or not: the checks in their order, and the tokens that passed them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portcullis_core::{Claims, Clock, SystemClock};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::check::{self, Seconds};
use super::fault::TokenFault;
use super::issuer::{Issuer, Keys};
use super::key_set::KeySet;
use super::key_source::{self, KeySource, Renewed};
use super::token::{Registered, Token};

/// Verifies tokens of one or several issuers. Clones share its cache of verified tokens.
///
/// A layer makes one from its issuers. One of its own serves where there is no HTTP request:
///
/// ```
/// use portcullis_auth::jwt::{Algorithm, Issuer, Key, TokenFault, Verifier};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = Key::secret(Algorithm::HS256, [7; 32])?;
/// let verifier = Verifier::from(Issuer::given("me", [key])?.audience("pets"));
/// assert_eq!(verifier.verify("no.such.token").await.unwrap_err(), TokenFault::Malformed);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Verifier {
    shared: Arc<Shared>,
}

struct Shared {
    issuers: Box<[Issuer]>,
    settings: Settings,
    verified: Cache<Box<str>, Verified, Weigh>,
}

#[derive(Clone)]
struct Settings {
    clock: Arc<dyn Clock>,
    leeway: Duration,
    max_token_bytes: usize,
    cache_bytes: u64,
}

/// A token that passed all checks of its issuer.
#[derive(Clone)]
pub(crate) struct Verified {
    pub(crate) claims: Claims,
    expires: Seconds,
    /// Which of the issuers it is of, and which of its keys made it.
    issuer: u32,
    generation: u64,
}

/// What can be said of a token at once.
pub(crate) enum Look {
    Known(Verified),
    Refuse(TokenFault),
    /// Not without keys of this issuer that would have to be fetched.
    Wait(Arc<KeySource>),
    /// Not with the keys that this issuer has; there may be newer ones.
    Renew {
        source: Arc<KeySource>,
        fault: TokenFault,
    },
}

/// The gateway takes 10,240 bytes of headers in all.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// What an entry takes beside the token and its claims.
const ENTRY_BYTES: usize = 256;

impl Verifier {
    /// Verifies tokens of these issuers. Which of them a token is of, it says itself (`iss`), to the letter.
    #[must_use]
    pub fn new(issuers: impl IntoIterator<Item = Issuer>) -> Self {
        let settings = Settings {
            clock: Arc::new(SystemClock::new()),
            leeway: Duration::ZERO,
            max_token_bytes: MAX_TOKEN_BYTES,
            cache_bytes: CACHE_BYTES,
        };
        Self::build(issuers.into_iter().collect(), settings)
    }

    /// How far the clocks of issuer and verifier may differ. The default is zero.
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        self.with(|settings| settings.leeway = leeway)
    }

    /// Takes the time from here.
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        self.shared_clock(Arc::new(clock))
    }

    /// Takes the time from a clock that others share.
    #[must_use]
    pub fn shared_clock(self, clock: Arc<dyn Clock>) -> Self {
        self.with(|settings| settings.clock = clock)
    }

    /// The longest token that is looked at; 16 KiB by default.
    #[must_use]
    pub fn max_token_bytes(self, bytes: usize) -> Self {
        self.with(|settings| settings.max_token_bytes = bytes)
    }

    /// How much memory verified tokens may take, so that one that comes again is not verified again; 16 MiB by default, none
    /// with zero. A token leaves with its expiry, and with a change of its issuer's keys.
    #[must_use]
    pub fn cache_bytes(self, bytes: u64) -> Self {
        self.with(|settings| settings.cache_bytes = bytes)
    }

    /// Verifies a token, without `Bearer` before it, and waits for its issuer's keys if need be.
    ///
    /// # Errors
    ///
    /// Why it is not believed.
    pub async fn verify(&self, token: &str) -> Result<Claims, TokenFault> {
        let now = self.now();
        match self.look(token, now) {
            Look::Known(verified) => Ok(verified.claims),
            Look::Refuse(fault) => Err(fault),
            wait => self.ask(token, wait).await.map(|verified| verified.claims),
        }
    }

    /// The issuers, in the order in which they were given.
    #[must_use]
    pub fn issuers(&self) -> &[Issuer] {
        &self.shared.issuers
    }

    fn build(issuers: Box<[Issuer]>, settings: Settings) -> Self {
        let entry = (ENTRY_BYTES + 1024) as u64;
        let entries = usize::try_from(settings.cache_bytes / entry).unwrap_or(usize::MAX);
        let verified = Cache::with_weighter(entries, settings.cache_bytes, Weigh);
        Self {
            shared: Arc::new(Shared {
                issuers,
                settings,
                verified,
            }),
        }
    }

    /// The same with other settings, and a cache of its own.
    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.shared.settings.clone();
        change(&mut settings);
        Self::build(self.shared.issuers.clone(), settings)
    }

    pub(crate) fn now(&self) -> Seconds {
        Seconds::of(self.shared.settings.clock.wall())
    }

    /// Looks at a token as far as that takes no waiting.
    pub(crate) fn look(&self, token: &str, now: Seconds) -> Look {
        if self.keeps()
            && let Some(verified) = self.shared.verified.get(token)
            && let Some(look) = self.look_again(&verified, now)
        {
            return match look {
                Ok(()) => Look::Known(verified),
                Err(fault) => {
                    self.shared.verified.remove(token);
                    Look::Refuse(fault)
                }
            };
        }
        self.look_anew(token, now)
    }

    /// Whether tokens are kept at all.
    fn keeps(&self) -> bool {
        self.shared.settings.cache_bytes > 0
    }

    /// Whether a token that was verified before still holds; `None` if its issuer's keys are others by now.
    fn look_again(&self, verified: &Verified, now: Seconds) -> Option<Result<(), TokenFault>> {
        if let Keys::Fetched(source) = &self.shared.issuers[verified.issuer as usize].keys {
            let keys = source.ready()?;
            if keys.generation != verified.generation {
                return None;
            }
        }
        Some(match verified.expires > now {
            true => Ok(()),
            false => Err(TokenFault::Expired),
        })
    }

    fn look_anew(&self, text: &str, now: Seconds) -> Look {
        let settings = &self.shared.settings;
        let token = match Token::parse(text, settings.max_token_bytes) {
            Ok(token) => token,
            Err(fault) => return Look::Refuse(fault),
        };
        let registered = match Registered::parse(&token.claims) {
            Ok(registered) => registered,
            Err(fault) => return Look::Refuse(fault),
        };
        let found = registered.issuer.as_deref().and_then(|name| {
            let mut issuers = self.shared.issuers.iter();
            issuers.position(|issuer| issuer.name() == name)
        });
        let Some(index) = found else {
            return Look::Refuse(TokenFault::Issuer);
        };
        let issuer = &self.shared.issuers[index];
        if let Err(fault) = check_header(issuer, &token) {
            return Look::Refuse(fault);
        }
        let (keys, source) = match &issuer.keys {
            Keys::Given(keys) => (
                key_source::Keys {
                    keys: Arc::clone(keys),
                    generation: 0,
                },
                None,
            ),
            Keys::Fetched(source) => match source.ready() {
                Some(keys) => (keys, Some(source)),
                None => return Look::Wait(Arc::clone(source)),
            },
        };
        if let Err(fault) = check_signature(issuer, &token, &keys.keys) {
            return match source {
                Some(source) if may_be_newer(&token, &keys.keys) => Look::Renew {
                    source: Arc::clone(source),
                    fault,
                },
                _ => Look::Refuse(fault),
            };
        }
        let checked = check::times(&registered, now, settings.leeway).and_then(|expires| {
            if let Some(accepted) = &issuer.audiences {
                check::audience(&registered, accepted)?;
            }
            Ok(expires)
        });
        let expires = match checked {
            Ok(expires) => expires,
            Err(fault) => return Look::Refuse(fault),
        };
        let scopes = registered.scopes;
        let claims = Claims::with_scopes(token.claims, scopes);
        if let Err(fault) = issuer.rules.check_claims(&claims) {
            return Look::Refuse(fault);
        }
        let verified = Verified {
            claims,
            expires,
            issuer: u32::try_from(index).unwrap_or(u32::MAX),
            generation: keys.generation,
        };
        if self.keeps() {
            self.shared.verified.insert(text.into(), verified.clone());
        }
        Look::Known(verified)
    }

    /// Waits for keys, and looks again.
    pub(crate) async fn ask(&self, token: &str, mut look: Look) -> Result<Verified, TokenFault> {
        // Keys that were on their way already may still be the old ones: once more for those.
        let mut renewals = 2;
        loop {
            look = match look {
                Look::Known(verified) => return Ok(verified),
                Look::Refuse(fault) => return Err(fault),
                Look::Wait(source) => {
                    source.wait().await?;
                    match self.look(token, self.now()) {
                        // They have gone again, which takes a clock that leaps.
                        Look::Wait(_) => return Err(TokenFault::KeysUnavailable),
                        look => look,
                    }
                }
                Look::Renew { fault, .. } if renewals == 0 => return Err(fault),
                Look::Renew { source, fault } => {
                    renewals = match source.renew().await {
                        Renewed::Joined => renewals - 1,
                        Renewed::Fetched => 0,
                        Renewed::Refused => return Err(fault),
                    };
                    self.look(token, self.now())
                }
            };
        }
    }
}

/// Before a key is looked for: what the operator allows decides, not what the token asks for (RFC 8725, 3.1).
fn check_header(issuer: &Issuer, token: &Token<'_>) -> Result<(), TokenFault> {
    let rules = &issuer.rules;
    let header = &token.header;
    let algorithm = header.algorithm;
    let given = matches!(issuer.keys, Keys::Given(_));
    let allowed = rules.algorithms.is_empty() || rules.algorithms.contains(&algorithm);
    // A key that is published is no secret.
    if !allowed || (algorithm.is_secret() && !given) {
        return Err(TokenFault::Algorithm(algorithm.as_str().into()));
    }
    if let Some(expected) = &rules.token_type
        && !check::is_type(header.r#type.as_deref(), expected)
    {
        return Err(TokenFault::Type);
    }
    if header.key_id.is_none() && !given && !rules.key_id_optional {
        return Err(TokenFault::NoKeyId);
    }
    Ok(())
}

fn check_signature(issuer: &Issuer, token: &Token<'_>, keys: &KeySet) -> Result<(), TokenFault> {
    let header = &token.header;
    let any = issuer.rules.key_id_optional;
    let mut fault = TokenFault::UnknownKey;
    for key in keys.find(header.key_id.as_deref(), header.algorithm, any) {
        if key.accepts(token.message, &token.signature) {
            return Ok(());
        }
        fault = TokenFault::Signature;
    }
    Err(fault)
}

/// Whether a key that is not held yet could have made a token: one that it names, or any, if it names none. (A
/// signature that is not that of the key with this id is no reason to fetch.)
fn may_be_newer(token: &Token<'_>, keys: &KeySet) -> bool {
    token
        .header
        .key_id
        .as_deref()
        .is_none_or(|id| !keys.has(id))
}

impl From<Issuer> for Verifier {
    fn from(issuer: Issuer) -> Self {
        Self::new([issuer])
    }
}

impl<const N: usize> From<[Issuer; N]> for Verifier {
    fn from(issuers: [Issuer; N]) -> Self {
        Self::new(issuers)
    }
}

impl From<Vec<Issuer>> for Verifier {
    fn from(issuers: Vec<Issuer>) -> Self {
        Self::new(issuers)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("issuers", &self.shared.issuers)
            .field("leeway", &self.shared.settings.leeway)
            .field("cached", &self.shared.verified.len())
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Weigh;

impl Weighter<Box<str>, Verified> for Weigh {
    fn weight(&self, token: &Box<str>, _verified: &Verified) -> u64 {
        // The claims are kept once as JSON and, if somebody asks for one, once parsed: about as much again each.
        (ENTRY_BYTES + 3 * token.len()) as u64
    }
}
