//! Which stored responses an unsafe request makes invalid (RFC 9111 section 4.4).

use http::HeaderMap;
use http::header::{CONTENT_LOCATION, LOCATION};

/// Where a request went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// Host and port, as the client named them.
    pub(crate) authority: &'a str,
    pub(crate) path: &'a str,
}

/// The paths (with their queries) that `Location` and `Content-Location` name on the target's own origin.
pub(crate) fn named_targets(
    target: Target<'_>,
    response: &HeaderMap,
) -> impl Iterator<Item = String> {
    [LOCATION, CONTENT_LOCATION]
        .into_iter()
        .filter_map(move |name| {
            let reference = response.get(name)?.to_str().ok()?;
            resolve(target, reference)
        })
}

/// The path and query that a `Content-Location` names on the target's own origin.
pub(crate) fn content_location(target: Target<'_>, response: &HeaderMap) -> Option<String> {
    resolve(target, response.get(CONTENT_LOCATION)?.to_str().ok()?)
}

/// Resolves a reference (RFC 3986 section 5.2) to a path and query; `None` if it leads to another origin.
fn resolve(target: Target<'_>, reference: &str) -> Option<String> {
    let reference = reference.split('#').next()?.trim();
    if let Some((authority, path)) = with_scheme(reference)? {
        return same_authority(target.authority, authority).then(|| absolute(path));
    }
    if let Some(rest) = reference.strip_prefix("//") {
        let (authority, path) = split_authority(rest);
        return same_authority(target.authority, authority).then(|| absolute(path));
    }
    if reference.starts_with('/') {
        return Some(absolute(reference));
    }
    let base_path = target.path.split('?').next().unwrap_or_default();
    if reference.is_empty() {
        return Some(target.path.to_owned());
    }
    if reference.starts_with('?') {
        return Some(format!("{base_path}{reference}"));
    }
    let folder = base_path.rfind('/').map_or("/", |end| &base_path[..=end]);
    Some(absolute(&format!("{folder}{reference}")))
}

/// Authority and path of a reference with a scheme, `Some(None)` if it has none; `None` if the scheme is none of ours.
#[expect(
    clippy::option_option,
    reason = "no scheme, and another scheme, are two answers"
)]
fn with_scheme(reference: &str) -> Option<Option<(&str, &str)>> {
    let Some((scheme, rest)) = reference.split_once(':') else {
        return Some(None);
    };
    // A colon in a path or query belongs to no scheme.
    if scheme.contains(['/', '?']) {
        return Some(None);
    }
    let ours = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    if !ours {
        return None;
    }
    let (authority, path) = split_authority(rest.strip_prefix("//")?);
    let port = if scheme.len() == 4 { ":80" } else { ":443" };
    Some(Some((
        authority.strip_suffix(port).unwrap_or(authority),
        path,
    )))
}

fn split_authority(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()))
}

fn same_authority(own: &str, other: &str) -> bool {
    let without_port = |authority: &str| -> usize {
        let end = authority
            .strip_suffix(":80")
            .or_else(|| authority.strip_suffix(":443"));
        end.unwrap_or(authority).len()
    };
    own[..without_port(own)].eq_ignore_ascii_case(&other[..without_port(other)])
}

/// Takes `.` and `..` out of a path; an empty one is the root.
fn absolute(path_and_query: &str) -> String {
    let (path, query) = match path_and_query.find('?') {
        Some(at) => path_and_query.split_at(at),
        None => (path_and_query, ""),
    };
    let mut segments: Vec<&str> = Vec::new();
    let mut ends_with_folder = false;
    for segment in path.split('/').skip(1) {
        ends_with_folder = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    if ends_with_folder {
        segments.push("");
    }
    format!("/{}{query}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Target, resolve};

    fn from(path: &str, reference: &str) -> Option<String> {
        let target = Target {
            authority: "API.example.com",
            path,
        };
        resolve(target, reference)
    }

    #[test]
    fn references_are_resolved_against_the_target() {
        for (reference, expected) in [
            ("/x", "/x"),
            ("x?y=1", "/a/x?y=1"),
            ("", "/a/b?q"),
            ("?z", "/a/b?z"),
            ("../x", "/x"),
            ("./", "/a/"),
            ("..", "/"),
            ("../../../x/./y", "/x/y"),
            ("/x:y", "/x:y"),
            ("/x#y", "/x"),
            ("http://api.example.com", "/"),
            ("https://api.EXAMPLE.com:443/x", "/x"),
            ("//api.example.com/x", "/x"),
            ("http://api.example.com?x", "/?x"),
        ] {
            assert_eq!(
                from("/a/b?q", reference).as_deref(),
                Some(expected),
                "{reference}"
            );
        }
    }

    #[test]
    fn other_origins_are_left_alone() {
        for reference in [
            "http://evil.example.com/x",
            "//evil.example.com/x",
            "http://api.example.com:8080/x",
            "http://api.example.com@evil.example.com/x",
            "ftp://api.example.com/x",
            "mailto:x",
            "http:x",
        ] {
            assert_eq!(from("/a/b", reference), None, "{reference}");
        }
    }

    proptest! {
        #[test]
        fn no_reference_panics_and_paths_begin_with_a_slash(path in "/[a-z/.?:]{0,12}", reference in "[a-z/.?:#]{0,16}") {
            if let Some(path) = from(&path, &reference) {
                prop_assert!(path.starts_with('/'));
            }
        }
    }
}
