//! Hosts, compared as names are: without case.

/// The longest name that DNS allows.
pub(crate) const MAX: usize = 255;

/// Hands `host` on without port and trailing dot and in lower case; `None` if it is longer than any name can be.
pub(crate) fn with_normal<T>(host: &str, read: impl FnOnce(&str) -> T) -> Option<T> {
    let host = normal_end(host);
    if host.len() > MAX {
        return None;
    }
    // As clients send it, as a rule.
    if !host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(read(host));
    }
    let mut buffer = [0; MAX];
    let buffer = buffer.get_mut(..host.len())?;
    buffer.copy_from_slice(host.as_bytes());
    buffer.make_ascii_lowercase();
    // Changing the case of ASCII letters keeps text text.
    std::str::from_utf8(buffer).ok().map(read)
}

/// Whether two hosts are the same name.
pub(crate) fn same(one: &str, other: &str) -> bool {
    normal_end(one).eq_ignore_ascii_case(normal_end(other))
}

/// `host` without port and trailing dot.
fn normal_end(host: &str) -> &str {
    let last = host
        .bytes()
        .rposition(|byte| matches!(byte, b':' | b']'))
        // A colon within brackets belongs to an address.
        .filter(|last| host.as_bytes()[*last] == b':');
    let host = last.map_or(host, |colon| &host[..colon]);
    host.strip_suffix('.').unwrap_or(host)
}

/// Whether a configured name can be a host at all, and how it is kept.
pub(crate) fn checked(host: &str) -> Option<Box<str>> {
    let fine = |char: char| char.is_ascii_alphanumeric() || "-_.:[]".contains(char);
    if host.is_empty() || !host.chars().all(fine) {
        return None;
    }
    let normal = with_normal(host, |host| Box::<str>::from(host))?;
    let labels = || normal.split('.');
    (labels().all(|label| (1..=63).contains(&label.len()))).then_some(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, expected: &str) {
        assert_eq!(with_normal(host, str::to_owned).as_deref(), Some(expected));
    }

    #[test]
    fn case_port_and_trailing_dot_do_not_matter() {
        check("API.Example.com:8443", "api.example.com");
        check("api.example.com.", "api.example.com");
        check("[::1]:80", "[::1]");
        check("[::1]", "[::1]");
        check("", "");
        check(":", "");
    }

    #[test]
    fn a_name_longer_than_any_is_no_name() {
        assert_eq!(with_normal(&"a".repeat(256), |_| ()), None);
    }

    #[test]
    fn a_configured_host_is_checked() {
        assert_eq!(checked("LocalHost:80").as_deref(), Some("localhost"));
        for bad in ["", "a..b", "a b", "a/b", ".", &"a".repeat(64)] {
            assert_eq!(checked(bad), None, "{bad}");
        }
    }
}
