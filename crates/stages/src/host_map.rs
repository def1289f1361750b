//! Values by host.

use rustc_hash::FxHashMap;

use crate::host;

/// Values by host name. A name whose first label is `*` stands for every name with one label in that place; an exact name goes before it. A
/// search allocates nothing, and looks at each byte of the host a few times at most, however many names there are.
///
/// ```
/// use portcullis_stages::HostMap;
///
/// let mut map = HostMap::new();
/// map.insert("*.example.com", "any");
/// map.insert("shop.example.com", "shop");
/// assert_eq!(map.find("Shop.example.com:8443"), Some(&"shop"));
/// assert_eq!(map.find("blog.example.com"), Some(&"any"));
/// assert_eq!(map.find("a.b.example.com"), None);
/// ```
#[derive(Clone, Debug)]
pub struct HostMap<T> {
    exact: FxHashMap<Box<str>, T>,
    /// By what follows the first label.
    wildcards: FxHashMap<Box<str>, T>,
}

impl<T> HostMap<T> {
    /// A map without hosts.
    #[must_use]
    pub fn new() -> Self {
        Self {
            exact: FxHashMap::default(),
            wildcards: FxHashMap::default(),
        }
    }

    /// Adds a name, unless it can be no host: then nothing is added, and it says `false`. A value that the name had before is replaced.
    pub fn insert(&mut self, name: &str, value: T) -> bool {
        let (bare, wildcard) = bare(name);
        let Some(bare) = host::checked(bare) else {
            return false;
        };
        let names = match wildcard {
            true => &mut self.wildcards,
            false => &mut self.exact,
        };
        names.insert(bare, value);
        true
    }

    /// The value of the name itself, which may be a wildcard.
    pub(crate) fn own(&self, name: &str) -> Option<&T> {
        let (bare, wildcard) = bare(name);
        let names = match wildcard {
            true => &self.wildcards,
            false => &self.exact,
        };
        host::with_normal(bare, |bare| names.get(bare)).flatten()
    }

    /// The value for a host, given with or without a port.
    #[must_use]
    #[inline]
    pub fn find(&self, host: &str) -> Option<&T> {
        // As it stands, which is how clients send most of them: names are kept without case and port.
        let exact = self.exact.get(host);
        exact.or_else(|| self.find_normal(host))
    }

    fn find_normal(&self, host: &str) -> Option<&T> {
        let found = host::with_normal(host, |host| {
            if let Some(exact) = self.exact.get(host) {
                return Some(exact);
            }
            if self.wildcards.is_empty() {
                return None;
            }
            let (first, others) = host.split_once('.')?;
            self.wildcards.get(others).filter(|_| !first.is_empty())
        });
        found.flatten()
    }

    /// The values, in no order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.exact.values().chain(self.wildcards.values())
    }

    pub(crate) fn len(&self) -> usize {
        self.exact.len() + self.wildcards.len()
    }
}

impl<T> Default for HostMap<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// The name without the label that stands for any, and whether it had one.
fn bare(name: &str) -> (&str, bool) {
    match name.strip_prefix("*.") {
        Some(bare) => (bare, true),
        None => (name, false),
    }
}

#[cfg(test)]
mod tests {
    use super::HostMap;

    #[test]
    fn what_can_be_no_host_is_not_taken() {
        let mut map = HostMap::new();
        for bad in ["", "*", "*.", "a.*.b", "a b", "**.a"] {
            assert!(!map.insert(bad, ()), "{bad}");
        }
        assert_eq!(map.len(), 0);
    }

    #[test]
    fn a_wildcard_needs_a_label_in_its_place() {
        let mut map = HostMap::new();
        assert!(map.insert("*.Example.com", 1));
        assert_eq!(map.find("a.example.com."), Some(&1));
        assert_eq!(map.find(".example.com"), None);
        assert_eq!(map.find("example.com"), None);
        assert_eq!(
            (map.own("*.example.com"), map.own("a.example.com")),
            (Some(&1), None)
        );
    }
}
