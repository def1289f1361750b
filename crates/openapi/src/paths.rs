//! The operations of a document, path by path.

use portcullis_definition::ApiKind;

use crate::run::{At, Run};

/// The extension that holds the operation for the verbs without one of their own.
const ANY: &str = "x-amazon-apigateway-any-method";
/// The extension that says what is behind an operation.
pub(crate) const INTEGRATION: &str = "x-amazon-apigateway-integration";
/// The extension that names an operation's request validator.
pub(crate) const VALIDATOR: &str = "x-amazon-apigateway-request-validator";

/// The longest path. Each segment becomes a resource that has the whole path so far.
const MAX_LENGTH: usize = 4096;
/// The deepest path.
const MAX_SEGMENTS: usize = 128;

/// An operation of the document.
#[derive(Debug)]
pub(crate) struct Operation<'a> {
    /// The verb in capitals, or `ANY`.
    pub(crate) verb: &'static str,
    pub(crate) at: At<'a>,
}

/// A path of the document with its operations.
#[derive(Debug)]
pub(crate) struct PathItem<'a> {
    /// The path as the API has it: with the base path, without a slash at its end.
    pub(crate) path: String,
    /// Whether the path can be served. If not, its operations are looked at for their own faults.
    pub(crate) is_sound: bool,
    pub(crate) at: At<'a>,
    /// Parameters of all operations of the path.
    pub(crate) parameters: Vec<At<'a>>,
    pub(crate) operations: Vec<Operation<'a>>,
}

impl<'a> Run<'a> {
    /// All paths.
    pub(crate) fn path_items(&mut self) -> Vec<PathItem<'a>> {
        let root = self.root.clone();
        let prefix = self.path_prefix();
        let Some(paths) = self.object(&root, "paths") else {
            if !root.has("paths") {
                self.warn(&root.pointer, "the document has no paths");
            }
            return Vec::new();
        };
        let mut items = Vec::new();
        for (name, at) in paths.members() {
            if name.starts_with("x-") {
                continue;
            }
            let own = at.pointer.clone();
            let full = self.full_path(&prefix, name, &at);
            let Some(at) = self.resolve(at) else { continue };
            if at.node.as_object().is_none() {
                self.fault(
                    &own,
                    "path/item",
                    "a path holds an object of operations",
                    "write one",
                );
                continue;
            }
            self.known_extensions(&at, &[ANY]);
            let parameters = self.list(&at, "parameters");
            let operations = self.operations(&at);
            items.push(PathItem {
                is_sound: full.is_some(),
                path: full.unwrap_or_else(|| name.to_owned()),
                at,
                parameters,
                operations,
            });
        }
        items
    }

    fn operations(&mut self, item: &At<'a>) -> Vec<Operation<'a>> {
        let mut operations = Vec::new();
        for (name, at) in item.members() {
            let verb = match name {
                "get" => "GET",
                "put" => "PUT",
                "post" => "POST",
                "delete" => "DELETE",
                "options" => "OPTIONS",
                "head" => "HEAD",
                "patch" => "PATCH",
                ANY => "ANY",
                "trace" => {
                    self.warn(
                        &at.pointer,
                        "the service has no method TRACE: the operation is left out",
                    );
                    continue;
                }
                _ => continue,
            };
            if self.object(item, name).is_some() {
                operations.push(Operation { verb, at });
            }
        }
        operations
    }

    /// The path as the API has it, if each of its segments can be served.
    fn full_path(&mut self, prefix: &str, name: &str, at: &At<'a>) -> Option<String> {
        let faults = self.faults.len();
        if !name.starts_with('/') {
            self.fault(
                &at.pointer,
                "path/slash",
                format!("the path `{name}` does not begin with a slash"),
                format!("write `/{name}`"),
            );
            return None;
        }
        if self.options.kind == ApiKind::Http && name == "/$default" {
            return Some(name.to_owned());
        }
        // The service takes a path with a slash at its end for the one without.
        let full = format!("{prefix}{name}");
        let full = full.strip_suffix('/').unwrap_or(&full);
        if full.is_empty() {
            return Some("/".to_owned());
        }
        if full.len() > MAX_LENGTH || full.split('/').count() > MAX_SEGMENTS {
            self.fault(
                &at.pointer,
                "path/length",
                format!("a path has at most {MAX_LENGTH} characters and {MAX_SEGMENTS} segments"),
                "write a shorter path",
            );
            return None;
        }
        let mut greedy = false;
        for segment in full[1..].split('/') {
            if greedy {
                self.fault(
                    &at.pointer,
                    "path/greedy",
                    "Cannot create a child of a resource with a greedy path variable: {proxy+}"
                        .replace("{proxy+}", greedy_segment(full)),
                    "let the greedy variable be the last segment",
                );
                break;
            }
            if !is_segment(segment) {
                self.fault(
                    &at.pointer,
                    "path/segment",
                    format!(
                        "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path \
                         variable and curly braces at the beginning and the end: {segment}"
                    ),
                    "rename the segment; a variable fills a whole one",
                );
            }
            greedy = segment.ends_with("+}");
        }
        (self.faults.len() == faults).then(|| full.to_owned())
    }
}

/// The first greedy segment of a path.
fn greedy_segment(path: &str) -> &str {
    path.split('/')
        .find(|segment| segment.ends_with("+}"))
        .unwrap_or_default()
}

fn is_segment(segment: &str) -> bool {
    let name = match segment.strip_prefix('{') {
        Some(variable) => match variable.strip_suffix('}') {
            Some(name) => name.strip_suffix('+').unwrap_or(name),
            None => return false,
        },
        None => segment,
    };
    let allowed = |char: char| char.is_ascii_alphanumeric() || "._-:,".contains(char);
    !name.is_empty() && name.chars().all(allowed)
}

/// The names of the variables of a path, without braces and plus sign.
pub(crate) fn variables(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?;
        Some(name.strip_suffix('+').unwrap_or(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(segment: &str, expected: bool) {
        assert_eq!(is_segment(segment), expected, "{segment}");
    }

    #[test]
    fn a_variable_fills_a_whole_segment() {
        check("pets", true);
        check("v1.0_a-b:c,d", true);
        check("{id}", true);
        check("{proxy+}", true);
        check("{a-b}", true);
        for wrong in [
            "", "{}", "{+}", "a{b}", "{a}b", "{a", "a}", "a+", "a b", "a%20b", "{a}{b}",
        ] {
            check(wrong, false);
        }
    }

    #[test]
    fn variables_are_named_without_their_signs() {
        assert_eq!(variables("/a/{b}/{c+}").collect::<Vec<_>>(), ["b", "c"]);
    }
}
