//! What is kept of a request until its answer is known.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// What the templates of a table may ask of a request's head, kept because the request itself will be gone.
/// [`GatewayResponses::capture`](crate::GatewayResponses::capture) makes it. The default one is that of a request without headers.
#[derive(Clone, Debug, Default)]
pub struct Captured {
    head: bool,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Captured {
    /// Keeps the last value of each header in `needed`. Without any it allocates nothing.
    pub(crate) fn new(needed: &[HeaderName], method: &Method, headers: &HeaderMap) -> Self {
        let kept = needed.iter().filter_map(|name| {
            let value = headers.get_all(name).iter().next_back()?;
            Some((name.clone(), value.clone()))
        });
        Self {
            head: *method == Method::HEAD,
            headers: kept.collect(),
        }
    }

    pub(crate) const fn is_head(&self) -> bool {
        self.head
    }

    pub(crate) fn header(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.headers
            .iter()
            .find_map(|(own, value)| (own == name).then_some(value))
    }
}
