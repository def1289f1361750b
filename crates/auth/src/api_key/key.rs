//! One API key.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use portcullis_core::ApiKeyId;

use super::hash::KeyHash;

/// An API key: its id, the hashes of its values, and what is known of it. Cheap to clone.
///
/// ```
/// use portcullis_auth::api_key::ApiKey;
///
/// let key = ApiKey::new("a1b2c3", "0123456789abcdefghij")
///     .with_previous("sha256:1e9f06b7b7b1f4c6ba1de2d4ddf4f6ac2f4ffe1dd4d29c4d47c5ac2c1f4f5a11")
///     .with_name("partner")
///     .with_tag("team", "dogs")
///     .with_usage_plan("gold");
/// assert!(key.is_enabled());
/// assert_eq!(key.tag("team"), Some("dogs"));
/// assert!(!format!("{key:?}").contains("0123456789"));
/// ```
#[derive(Clone)]
pub struct ApiKey {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    id: ApiKeyId,
    hash: KeyHash,
    enabled: bool,
    /// Apart, because most keys have none of it.
    more: Option<Box<More>>,
}

#[derive(Clone, Default)]
struct More {
    previous: Option<KeyHash>,
    usage_plans: Vec<Arc<str>>,
    name: Option<Box<str>>,
    description: Option<Box<str>>,
    customer_id: Option<Box<str>>,
    tags: BTreeMap<Box<str>, Box<str>>,
}

impl ApiKey {
    /// An enabled key with this value, or the value of which this is the hash: `sha256:` and 64 digits.
    #[must_use]
    pub fn new(id: impl Into<Arc<str>>, value: &str) -> Self {
        Self::hashed(id, KeyHash::of_value_or_hash(value))
    }

    /// An enabled key with the value of this hash.
    #[must_use]
    pub fn hashed(id: impl Into<Arc<str>>, hash: KeyHash) -> Self {
        Self {
            inner: Arc::new(Inner {
                id: ApiKeyId::new(id),
                hash,
                enabled: true,
                more: None,
            }),
        }
    }

    /// With a second value that is good as well: the one before, while callers change over. `sha256:` and 64 digits stand for the value with that hash.
    #[must_use]
    pub fn with_previous(self, value: &str) -> Self {
        let hash = KeyHash::of_value_or_hash(value);
        self.more(|more| more.previous = Some(hash))
    }

    /// Enabled or not: a key that is not opens nothing.
    #[must_use]
    pub fn with_enabled(self, enabled: bool) -> Self {
        self.change(|inner| inner.enabled = enabled)
    }

    /// In the usage plan with this id, too.
    #[must_use]
    pub fn with_usage_plan(self, id: impl Into<Arc<str>>) -> Self {
        let id = id.into();
        self.more(|more| more.usage_plans.push(id))
    }

    /// With a name.
    #[must_use]
    pub fn with_name(self, name: &str) -> Self {
        self.more(|more| more.name = Some(name.into()))
    }

    /// With a description.
    #[must_use]
    pub fn with_description(self, description: &str) -> Self {
        self.more(|more| more.description = Some(description.into()))
    }

    /// With the id of a customer of a marketplace.
    #[must_use]
    pub fn with_customer_id(self, id: &str) -> Self {
        self.more(|more| more.customer_id = Some(id.into()))
    }

    /// With a tag.
    #[must_use]
    pub fn with_tag(self, name: &str, value: &str) -> Self {
        self.more(|more| {
            more.tags.insert(name.into(), value.into());
        })
    }

    /// The id, which may be logged.
    #[must_use]
    pub fn id(&self) -> &ApiKeyId {
        &self.inner.id
    }

    /// The hash of its value.
    #[must_use]
    pub fn hash(&self) -> &KeyHash {
        &self.inner.hash
    }

    /// The hash of the value before, if that is still good.
    #[must_use]
    pub fn previous(&self) -> Option<&KeyHash> {
        self.inner.more.as_ref()?.previous.as_ref()
    }

    /// Whether it opens anything.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.inner.enabled
    }

    /// The usage plans that it says it is in.
    #[must_use]
    pub fn usage_plans(&self) -> &[Arc<str>] {
        match &self.inner.more {
            Some(more) => &more.usage_plans,
            None => &[],
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.inner.more.as_ref()?.name.as_deref()
    }

    /// The description.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.inner.more.as_ref()?.description.as_deref()
    }

    /// The id of a customer of a marketplace.
    #[must_use]
    pub fn customer_id(&self) -> Option<&str> {
        self.inner.more.as_ref()?.customer_id.as_deref()
    }

    /// The tag of this name.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<&str> {
        let more = self.inner.more.as_ref()?;
        more.tags.get(name).map(|value| &**value)
    }

    /// All tags, by name.
    pub fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        let tags = self.inner.more.iter().flat_map(|more| &more.tags);
        tags.map(|(name, value)| (&**name, &**value))
    }

    /// The hashes by which it is found: one, or two while it is being rotated.
    pub(super) fn hashes(&self) -> impl Iterator<Item = KeyHash> {
        std::iter::once(*self.hash()).chain(self.previous().copied())
    }

    /// The same key with a new value; the one before stays good, the one before that does not.
    pub(super) fn rotated(&self, hash: KeyHash) -> Self {
        let before = *self.hash();
        let own = self.clone().more(|more| more.previous = Some(before));
        own.change(|inner| inner.hash = hash)
    }

    /// The same key without the value before.
    pub(super) fn settled(&self) -> Self {
        self.clone().change(|inner| {
            if let Some(more) = &mut inner.more {
                more.previous = None;
            }
        })
    }

    fn change(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.inner));
        self
    }

    fn more(self, change: impl FnOnce(&mut More)) -> Self {
        self.change(|inner| change(inner.more.get_or_insert_default()))
    }
}

impl fmt::Debug for ApiKey {
    /// Says all but the hashes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("id", self.id())
            .field("name", &self.name())
            .field("enabled", &self.is_enabled())
            .field("usage_plans", &self.usage_plans())
            .finish_non_exhaustive()
    }
}
