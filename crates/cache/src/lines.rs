//! Lists of header lines that many entries share.
//!
//! The responses of one service mostly have the same headers, and some of these the same values, so an entry holds a pointer to a list of names and such values, and
//! only the others itself.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use http::{HeaderName, HeaderValue};
use quick_cache::Equivalent;
use quick_cache::sync::Cache;

/// The names of an entry's headers in their order, and the values of some of them.
#[derive(Debug)]
pub(crate) struct Lines {
    list: Box<[(HeaderName, Option<HeaderValue>)]>,
    /// How many lists of the same names have values.
    with_values: AtomicU32,
}

/// So many lists are shared. A service that sends ever new names gets lists of its own.
const LISTS: usize = 1024;

/// The longest list that is shared.
const LONGEST: usize = 64;

/// So many lists of the same names have values: one whose values differ all the time gets no list for each.
const WITH_VALUES: u32 = 32;

/// The longest value that is kept.
const LONGEST_VALUE: usize = 64;

static SHARED: LazyLock<Cache<Known, Arc<Lines>>> = LazyLock::new(|| Cache::new(LISTS));

/// The list of these headers. With `open`, some of the values may be in it.
pub(crate) fn shared(headers: &[(HeaderName, HeaderValue)], open: bool) -> Arc<Lines> {
    if headers.len() > LONGEST {
        return Arc::new(Lines::of(headers, |_, _| None));
    }
    if open && let Some(lines) = SHARED.get(&Wanted { headers, open }) {
        return lines;
    }
    let wanted = Wanted {
        headers,
        open: false,
    };
    let names = SHARED
        .get(&wanted)
        .unwrap_or_else(|| share(Lines::of(headers, |_, _| None)));
    if !open || names.with_values.fetch_add(1, Ordering::Relaxed) >= WITH_VALUES {
        return names;
    }
    let lines = Lines::of(headers, |name, value| {
        is_common(name, value).then(|| kept(value)).flatten()
    });
    if lines.list.iter().all(|(_, value)| value.is_none()) {
        return names;
    }
    share(lines)
}

fn share(lines: Lines) -> Arc<Lines> {
    let lines = Arc::new(lines);
    SHARED.insert(Known(Arc::clone(&lines)), Arc::clone(&lines));
    lines
}

impl Lines {
    /// With copies of the names, so that they hold on to nothing of the message they came in.
    fn of(
        headers: &[(HeaderName, HeaderValue)],
        value: impl Fn(&HeaderName, &HeaderValue) -> Option<HeaderValue>,
    ) -> Self {
        let copy = |name: &HeaderName| {
            HeaderName::from_bytes(name.as_str().as_bytes()).unwrap_or_else(|_| name.clone())
        };
        let headers = headers.iter();
        Self {
            list: headers
                .map(|(name, own)| (copy(name), value(name, own)))
                .collect(),
            with_values: AtomicU32::new(0),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Each name, with its value if that is here.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&HeaderName, Option<&HeaderValue>)> + Clone {
        self.list.iter().map(|(name, value)| (name, value.as_ref()))
    }
}

/// A list, found by what is in it.
#[derive(Clone)]
struct Known(Arc<Lines>);

impl Hash for Known {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for (name, value) in self.0.iter() {
            hash(name, value, state);
        }
    }
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.0.list == other.0.list
    }
}

impl Eq for Known {}

/// A list that is looked for.
struct Wanted<'a> {
    headers: &'a [(HeaderName, HeaderValue)],
    open: bool,
}

impl Wanted<'_> {
    fn iter(&self) -> impl Iterator<Item = (&HeaderName, Option<&HeaderValue>)> {
        self.headers.iter().map(|(name, value)| {
            let is_there = self.open && is_common(name, value);
            (name, is_there.then_some(value))
        })
    }
}

impl Hash for Wanted<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for (name, value) in self.iter() {
            hash(name, value, state);
        }
    }
}

impl Equivalent<Known> for Wanted<'_> {
    fn equivalent(&self, known: &Known) -> bool {
        known.0.len() == self.headers.len() && known.0.iter().eq(self.iter())
    }
}

fn hash<H: Hasher>(name: &HeaderName, value: Option<&HeaderValue>, state: &mut H) {
    // A name by its length and its end is found well enough; what is found is compared.
    let name = name.as_str().as_bytes();
    state.write(&name[name.len().saturating_sub(8)..]);
    state.write_usize(name.len());
    if let Some(value) = value {
        state.write(value.as_bytes());
    }
}

/// Whether a header mostly has the same few values in all responses of a service.
fn is_common(name: &HeaderName, value: &HeaderValue) -> bool {
    if value.len() > LONGEST_VALUE {
        return false;
    }
    let name = name.as_str();
    match name.len() {
        4 => name == "vary",
        6 => name == "server",
        7 => name == "alt-svc",
        12 => matches!(name, "content-type" | "x-powered-by"),
        13 => matches!(name, "cache-control" | "accept-ranges"),
        15 => matches!(name, "x-frame-options" | "referrer-policy"),
        16 => matches!(name, "content-encoding" | "content-language"),
        17 => name == "cdn-cache-control",
        22 => name == "x-content-type-options",
        25 => name == "strict-transport-security",
        27 => name == "access-control-allow-origin",
        32 => name == "access-control-allow-credentials",
        _ => false,
    }
}

/// A value for as long as the process lives, so that no thread waits for another to count who uses it; none if there are too many of them.
fn kept(value: &HeaderValue) -> Option<HeaderValue> {
    let text = value.to_str().ok()?;
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(own) = kept.values.get(text) {
        return Some(HeaderValue::from_static(own));
    }
    if kept.bytes + text.len() > MOST_KEPT {
        return None;
    }
    kept.bytes += text.len();
    let own: &'static str = Box::leak(text.into());
    kept.values.insert(own);
    Some(HeaderValue::from_static(own))
}

/// So many bytes of values are kept, and never given back.
const MOST_KEPT: usize = 64 * 1024;

#[derive(Default)]
struct Kept {
    values: HashSet<&'static str>,
    bytes: usize,
}

static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
    use http::{HeaderName, HeaderValue};

    use super::{WITH_VALUES, shared};

    fn value(text: &str) -> HeaderValue {
        HeaderValue::from_str(text).unwrap()
    }

    #[test]
    fn the_same_lines_are_one_list() {
        let lines = |tag: &str| [(CONTENT_TYPE, value("text/plain")), (ETAG, value(tag))];
        let one = shared(&lines("1"), true);
        assert!(Arc::ptr_eq(&one, &shared(&lines("2"), true)));
        let [first, second] = lines("1");
        assert!(!Arc::ptr_eq(&one, &shared(&[second, first], true)));
        let values: Vec<_> = one.iter().map(|(_, value)| value.cloned()).collect();
        assert_eq!(values, [Some(value("text/plain")), None]);
    }

    #[test]
    fn what_is_not_open_has_its_values_nowhere_else() {
        let lines = [(CONTENT_TYPE, value("text/secret"))];
        let one = shared(&lines, false);
        assert!(one.iter().all(|(_, value)| value.is_none()));
        assert!(!Arc::ptr_eq(&one, &shared(&lines, true)));
        assert!(Arc::ptr_eq(&one, &shared(&lines, false)));
    }

    #[test]
    fn values_that_differ_all_the_time_have_no_list_each() {
        let own = HeaderName::from_static("x-of-this-test");
        let list = |age: u32| {
            let line = (CACHE_CONTROL, value(&format!("max-age={age}")));
            shared(&[line, (own.clone(), value("1"))], true)
        };
        for age in 0..WITH_VALUES {
            assert!(list(age).iter().any(|(_, value)| value.is_some()));
        }
        let late = list(WITH_VALUES);
        assert!(late.iter().all(|(_, value)| value.is_none()));
        assert!(Arc::ptr_eq(&late, &list(WITH_VALUES + 1)));
    }
}
