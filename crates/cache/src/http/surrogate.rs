//! `Surrogate-Control`, as the W3C's note on the architecture of edges has it: what came before targeted fields.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::directives::{Argument, CacheControl, Members, seconds};

pub(crate) const SURROGATE_CONTROL: HeaderName = HeaderName::from_static("surrogate-control");

/// The field by which a surrogate says to its origin that it knows the other.
pub(crate) const SURROGATE_CAPABILITY: HeaderName = HeaderName::from_static("surrogate-capability");

/// What this surrogate can, for [`SURROGATE_CAPABILITY`].
pub(crate) fn capability(device: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("{device}=\"Surrogate/1.0\"")).ok()
}

/// The directives for `device`: those that name it, or else those that name nobody. `None` if there are none that are known.
pub(crate) fn of(headers: &HeaderMap, device: &[u8]) -> Option<CacheControl> {
    let mut own = None;
    let mut general = None;
    for line in headers.get_all(&SURROGATE_CONTROL) {
        for member in Members(Some(line.as_bytes())) {
            let (directive, target) = match memchr::memchr(b';', member) {
                Some(at) => (
                    member[..at].trim_ascii(),
                    Some(member[at + 1..].trim_ascii()),
                ),
                None => (member, None),
            };
            match target {
                None => add(&mut general, directive),
                Some(target) if target == device => add(&mut own, directive),
                Some(_) => {}
            }
        }
    }
    own.or(general)
}

fn add(directives: &mut Option<CacheControl>, directive: &[u8]) {
    if directive.eq_ignore_ascii_case(b"no-store") {
        directives
            .get_or_insert_default()
            .add(b"no-store", Argument::None);
        return;
    }
    let Some(at) = memchr::memchr(b'=', directive) else {
        return;
    };
    let (name, value) = (&directive[..at], &directive[at + 1..]);
    if !name.eq_ignore_ascii_case(b"max-age") {
        return;
    }
    let directives = directives.get_or_insert_default();
    // `3600+600`: fresh for so long, and usable so much longer while another is fetched.
    let (fresh, stale) = match memchr::memchr(b'+', value) {
        Some(at) => (&value[..at], seconds(&value[at + 1..])),
        None => (value, None),
    };
    directives.set_number(b"max-age", seconds(fresh).unwrap_or(0));
    if let Some(stale) = stale {
        directives.set_number(b"stale-while-revalidate", stale);
        directives.set_number(b"stale-if-error", stale);
    }
}

#[cfg(test)]
mod tests {
    use super::{CacheControl, HeaderMap, HeaderValue, SURROGATE_CONTROL, of};

    fn read(line: &'static str) -> Option<CacheControl> {
        let mut headers = HeaderMap::new();
        headers.insert(SURROGATE_CONTROL, HeaderValue::from_static(line));
        of(&headers, b"ours")
    }

    #[test]
    fn what_names_this_surrogate_goes_before_what_names_nobody() {
        assert_eq!(read("max-age=3600").unwrap().max_age(), Some(3600));
        assert_eq!(
            read("max-age=1, max-age=2;ours").unwrap().max_age(),
            Some(2)
        );
        assert_eq!(read("max-age=2;others"), None);
        assert_eq!(read("foo"), None);
        assert!(read("MAX-AGE=1, no-store").unwrap().no_store());
    }

    #[test]
    fn a_second_number_says_how_long_it_may_be_stale() {
        let directives = read("max-age=60+30").unwrap();
        assert_eq!(directives.max_age(), Some(60));
        assert_eq!(directives.stale_while_revalidate(), Some(30));
        assert_eq!(directives.stale_if_error(), Some(30));
    }

    #[test]
    fn what_is_no_number_is_stale() {
        assert_eq!(read("max-age= 100").unwrap().max_age(), Some(0));
        assert_eq!(read("max-age =100"), None);
    }
}
