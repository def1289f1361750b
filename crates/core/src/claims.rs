//! What a token says of its bearer, once it is believed.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// How an API words a claim in `$context` and in events: by its name and value.
pub type ClaimWording = fn(&str, &Value) -> Value;

/// The claims of a verified token. Cheap to clone, and parsed when somebody asks for one.
///
/// A handler takes them from the [`RequestContext`](crate::RequestContext), in a type of its own:
///
/// ```
/// use portcullis_core::Claims;
///
/// #[derive(serde::Deserialize)]
/// struct Caller { sub: String, #[serde(default)] admin: bool }
///
/// let claims = Claims::from_json(r#"{"sub": "me", "admin": true, "exp": 1787992402}"#);
/// let caller: Caller = claims.read()?;
/// assert!(caller.admin);
/// assert_eq!(claims.get("exp"), Some(&1_787_992_402.into()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct Claims {
    token: Arc<Token>,
    wording: Option<ClaimWording>,
    scoped: bool,
}

struct Token {
    json: Box<str>,
    values: OnceLock<Map<String, Value>>,
    scopes: Box<[Box<str>]>,
}

impl Claims {
    /// The claims in a JSON object. What is not a JSON object is read as one without members.
    #[must_use]
    pub fn from_json(json: impl Into<Box<str>>) -> Self {
        Self::with_scopes(json, Vec::new())
    }

    /// The claims in a JSON object, with the scopes that they grant.
    #[must_use]
    pub fn with_scopes(json: impl Into<Box<str>>, scopes: Vec<Box<str>>) -> Self {
        Self {
            token: Arc::new(Token {
                json: json.into(),
                values: OnceLock::new(),
                scopes: scopes.into(),
            }),
            wording: None,
            scoped: false,
        }
    }

    /// The same claims, worded as `wording` has it wherever `$context` and events show them.
    #[must_use]
    pub const fn worded(mut self, wording: ClaimWording) -> Self {
        self.wording = Some(wording);
        self
    }

    /// The same claims, on a route that asks for scopes. (Events name the token's scopes only there.)
    #[must_use]
    pub const fn on_scoped_route(mut self, scoped: bool) -> Self {
        self.scoped = scoped;
        self
    }

    /// The claims as the token has them.
    #[must_use]
    pub fn values(&self) -> &Map<String, Value> {
        self.token
            .values
            .get_or_init(|| serde_json::from_str(&self.token.json).unwrap_or_default())
    }

    /// One claim as the token has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values().get(name)
    }

    /// All claims in a type of the caller's.
    ///
    /// # Errors
    ///
    /// If the claims do not fit the type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.token.json)
    }

    /// The scopes that the token grants.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.token.scopes.iter().map(|scope| &**scope)
    }

    /// Whether the route asked for scopes.
    #[must_use]
    pub const fn is_on_scoped_route(&self) -> bool {
        self.scoped
    }

    /// One claim as `$context.authorizer.claims` shows it.
    #[must_use]
    pub fn shown(&self, name: &str) -> Option<Cow<'_, Value>> {
        let value = self.get(name)?;
        Some(match self.wording {
            Some(word) => Cow::Owned(word(name, value)),
            None => Cow::Borrowed(value),
        })
    }

    /// All claims as events show them.
    #[must_use]
    pub fn to_shown(&self) -> Map<String, Value> {
        let values = self.values();
        match self.wording {
            Some(word) => values
                .iter()
                .map(|(name, value)| (name.clone(), word(name, value)))
                .collect(),
            None => values.clone(),
        }
    }
}

impl From<Map<String, Value>> for Claims {
    fn from(values: Map<String, Value>) -> Self {
        let claims = Self::from_json(Value::Object(values.clone()).to_string());
        let _ = claims.token.values.set(values);
        claims
    }
}

impl fmt::Debug for Claims {
    /// Names the claims and leaves out what they say, which is somebody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Claims")
            .field(&self.values().keys().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Claims;

    #[test]
    fn claims_are_shown_as_the_api_words_them_and_kept_as_they_are() {
        let claims = Claims::from_json(r#"{"n": 1}"#).worded(|_, value| value.to_string().into());
        assert_eq!(claims.get("n"), Some(&json!(1)));
        assert_eq!(claims.shown("n").as_deref(), Some(&json!("1")));
        assert_eq!(Value::Object(claims.to_shown()), json!({"n": "1"}));
    }

    #[test]
    fn what_is_no_object_has_no_claims() {
        assert!(Claims::from_json("[]").values().is_empty());
    }

    #[test]
    fn debug_output_names_claims_and_not_what_they_say() {
        let text = format!("{:?}", Claims::from_json(r#"{"email": "me@example.com"}"#));
        assert_eq!(text, r#"Claims(["email"])"#);
    }
}
