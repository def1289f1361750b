//! The base path of a document, and what becomes of it.

use crate::run::{Run, Version};
use crate::{BasePath, Node};

impl Run<'_> {
    /// What stands before each path: empty, or a path without a slash at its end.
    pub(crate) fn path_prefix(&self) -> String {
        let base = match self.options.basepath {
            BasePath::Ignore => return String::new(),
            BasePath::Prepend | BasePath::Split => self.base_path(),
        };
        let mut segments = base.split('/').filter(|segment| !segment.is_empty());
        if self.options.basepath == BasePath::Split {
            segments.next();
        }
        segments.fold(String::new(), |path, segment| path + "/" + segment)
    }

    fn base_path(&self) -> String {
        let root = self.root.node;
        if self.version == Version::Swagger2 {
            return root
                .get("basePath")
                .and_then(Node::as_str)
                .unwrap_or_default()
                .to_owned();
        }
        let servers = root
            .get("servers")
            .and_then(Node::as_array)
            .unwrap_or_default();
        // The variable counts even if the URL does not use it.
        let variable = servers.iter().find_map(|server| {
            server
                .get("variables")?
                .get("basePath")?
                .get("default")?
                .as_str()
        });
        if let Some(base) = variable {
            return base.to_owned();
        }
        let Some(server) = servers.first() else {
            return String::new();
        };
        url_path(&with_defaults(server)).to_owned()
    }
}

/// The URL of a server with the defaults of its variables.
fn with_defaults(server: &Node) -> String {
    let url = server.get("url").and_then(Node::as_str).unwrap_or_default();
    let variables = server.get("variables").and_then(Node::as_object);
    variables
        .into_iter()
        .flatten()
        .fold(url.to_owned(), |url, (name, variable)| {
            let value = variable
                .get("default")
                .and_then(Node::as_str)
                .unwrap_or_default();
            url.replace(&format!("{{{name}}}"), value)
        })
}

/// The path of a URL, absolute or not, without query and fragment.
fn url_path(url: &str) -> &str {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |slash| &rest[slash..]),
        None => url,
    };
    path.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ImportOptions, parse};

    #[track_caller]
    fn check(document: &str, version: Version, prepend: &str, split: &str) {
        let document = parse(document).unwrap();
        for (basepath, expected) in [
            (BasePath::Ignore, ""),
            (BasePath::Prepend, prepend),
            (BasePath::Split, split),
        ] {
            let options = ImportOptions::default().basepath(basepath);
            let run = Run::new(document.root(), version, &options);
            assert_eq!(run.path_prefix(), expected, "{basepath:?}");
        }
    }

    #[test]
    fn swagger_says_it_in_base_path() {
        check(r#"{"basePath": "/base"}"#, Version::Swagger2, "/base", "");
        check(
            r#"{"basePath": "/base/part/"}"#,
            Version::Swagger2,
            "/base/part",
            "/part",
        );
        check(r#"{"basePath": "/"}"#, Version::Swagger2, "", "");
    }

    #[test]
    fn a_server_variable_goes_before_the_url() {
        check(
            r#"{"servers": [{"url": "https://x.test/u"}, {"url": "https://x.test", "variables": {"basePath": {"default": "v/w"}}}]}"#,
            Version::OpenApi3,
            "/v/w",
            "/w",
        );
    }

    #[test]
    fn the_url_of_the_first_server_goes_last() {
        check(
            r#"{"servers": [{"url": "https://x.test/base-url/part/"}, {"url": "/other"}]}"#,
            Version::OpenApi3,
            "/base-url/part",
            "/part",
        );
        check(
            r#"{"servers": [{"url": "/{v}/x?y#z", "variables": {"v": {"default": "v1"}}}]}"#,
            Version::OpenApi3,
            "/v1/x",
            "/x",
        );
        check(
            r#"{"servers": [{"url": "https://x.test"}]}"#,
            Version::OpenApi3,
            "",
            "",
        );
    }
}
