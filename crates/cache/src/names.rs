//! Lists of header names that many entries share.
//!
//! The responses of one service mostly have the same headers, so an entry holds its values and a pointer to a list of names.

use std::sync::{Arc, LazyLock};

use http::HeaderName;
use quick_cache::sync::Cache;

/// So many lists are shared. A service that sends ever new names gets lists of its own.
const LISTS: usize = 1024;

/// The longest list that is shared.
const LONGEST: usize = 64;

static SHARED: LazyLock<Cache<Arc<[HeaderName]>, Arc<[HeaderName]>>> =
    LazyLock::new(|| Cache::new(LISTS));

pub(crate) fn shared(names: &[HeaderName]) -> Arc<[HeaderName]> {
    if names.len() > LONGEST {
        return names.into();
    }
    if let Some(list) = SHARED.get(names) {
        return list;
    }
    // Copies, so that a name holds on to nothing of the message it came in.
    let list: Arc<[HeaderName]> = names
        .iter()
        .map(|name| {
            HeaderName::from_bytes(name.as_str().as_bytes()).unwrap_or_else(|_| name.clone())
        })
        .collect();
    SHARED.insert(Arc::clone(&list), Arc::clone(&list));
    list
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::header::{CONTENT_TYPE, ETAG};

    use super::shared;

    #[test]
    fn the_same_names_are_one_list() {
        let one = shared(&[CONTENT_TYPE, ETAG]);
        assert!(Arc::ptr_eq(&one, &shared(&[CONTENT_TYPE, ETAG])));
        assert!(!Arc::ptr_eq(&one, &shared(&[ETAG, CONTENT_TYPE])));
    }
}
