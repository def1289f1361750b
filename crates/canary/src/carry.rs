//! How services behind learn of the choice.

use http::HeaderName;

/// A request header that tells services behind which variant was chosen: its name, or `production`.
///
/// What a client sends under this name is taken out: only with [`trust_inbound`](Self::trust_inbound) is it believed.
#[derive(Clone, Debug)]
#[must_use]
pub struct Carry {
    pub(crate) header: HeaderName,
    pub(crate) trusted: bool,
}

impl Carry {
    /// Tells it in this header.
    pub const fn header(name: HeaderName) -> Self {
        Self {
            header: name,
            trusted: false,
        }
    }

    /// Whether the choice of a split in front is taken over from this header, so that one request is served by one version of everything. Only for a service
    /// that nobody but such splits can reach.
    pub const fn trust_inbound(mut self, trust: bool) -> Self {
        self.trusted = trust;
        self
    }
}
