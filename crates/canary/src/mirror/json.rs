//! Two JSON documents, compared member by member.

use serde_json::Value;

use super::difference::{ABSENT, Differences, SECRET};

/// What of JSON is compared, and how exactly.
#[derive(Clone, Debug, Default)]
pub(super) struct JsonRules {
    pub(super) ignored: Vec<Pattern>,
    /// How far two numbers may be apart.
    pub(super) tolerance: f64,
    /// Parts of names whose values are secrets, in small letters.
    pub(super) secrets: Vec<String>,
}

/// A JSON pointer in which `*` stands for any one member or item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Option<String>>);

impl Pattern {
    pub(super) fn parse(pointer: &str) -> Option<Self> {
        let segments = pointer.strip_prefix('/')?.split('/');
        let segments = segments.map(|own| {
            let name = || own.replace("~1", "/").replace("~0", "~");
            (own != "*").then(name)
        });
        Some(Self(segments.collect()))
    }

    fn matches(&self, path: &[Step<'_>]) -> bool {
        self.0.len() == path.len()
            && self
                .0
                .iter()
                .zip(path)
                .all(|(own, step)| match (own, step) {
                    (None, _) => true,
                    (Some(name), Step::Member(member)) => name == member,
                    (Some(name), Step::Item(index)) => name.parse() == Ok(*index),
                })
    }
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Member(&'a str),
    Item(usize),
}

impl JsonRules {
    /// Where the two differ. The parser has bounded how deep they are.
    pub(super) fn compare(&self, live: &Value, mirrored: &Value, out: &mut Differences) {
        self.walk(&mut Vec::new(), (Some(live), Some(mirrored)), out);
    }

    fn walk<'a>(
        &self,
        path: &mut Vec<Step<'a>>,
        pair: (Option<&'a Value>, Option<&'a Value>),
        out: &mut Differences,
    ) {
        if out.is_full() || self.ignored.iter().any(|own| own.matches(path)) {
            return;
        }
        match pair {
            (Some(Value::Object(live)), Some(Value::Object(mirrored))) => {
                let added = mirrored.keys().filter(|name| !live.contains_key(*name));
                for name in live.keys().chain(added) {
                    path.push(Step::Member(name));
                    self.walk(path, (live.get(name), mirrored.get(name)), out);
                    path.pop();
                }
            }
            (Some(Value::Array(live)), Some(Value::Array(mirrored))) => {
                for index in 0..live.len().max(mirrored.len()) {
                    path.push(Step::Item(index));
                    self.walk(path, (live.get(index), mirrored.get(index)), out);
                    path.pop();
                }
            }
            (live, mirrored) if self.are_equal(live, mirrored) => {}
            (live, mirrored) => {
                let shown = |value: Option<&Value>| match value {
                    None => ABSENT.to_owned(),
                    Some(_) if self.is_secret(path) => SECRET.to_owned(),
                    Some(value) => self.text(value),
                };
                out.push(place(path), shown(live), shown(mirrored));
            }
        }
    }

    fn are_equal(&self, live: Option<&Value>, mirrored: Option<&Value>) -> bool {
        if let (Some(Value::Number(live)), Some(Value::Number(mirrored))) = (live, mirrored)
            && let (Some(a), Some(b)) = (live.as_f64(), mirrored.as_f64())
        {
            return live == mirrored || a == b || (a - b).abs() <= self.tolerance;
        }
        live == mirrored
    }

    fn is_secret(&self, path: &[Step<'_>]) -> bool {
        path.iter().any(|step| match step {
            Step::Member(name) => self.names_secret(name),
            Step::Item(_) => false,
        })
    }

    fn names_secret(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.secrets.iter().any(|own| name.contains(own))
    }

    /// The value as JSON, without the secrets in it.
    fn text(&self, value: &Value) -> String {
        let mut value = value.clone();
        self.redact(&mut value);
        value.to_string()
    }

    fn redact(&self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    if self.names_secret(name) {
                        *member = SECRET.into();
                    } else {
                        self.redact(member);
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact(item)),
            _ => {}
        }
    }
}

fn place(path: &[Step<'_>]) -> String {
    let mut place = "body".to_owned();
    if !path.is_empty() {
        place.push(' ');
    }
    for step in path {
        place.push('/');
        match step {
            Step::Member(name) => place.push_str(&name.replace('~', "~0").replace('/', "~1")),
            Step::Item(index) => place.push_str(&index.to_string()),
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Differences, JsonRules, Pattern};

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "it reads better")]
    fn check(rules: &JsonRules, live: Value, mirrored: Value, expected: &[&str]) {
        let mut found = Differences::default();
        rules.compare(&live, &mirrored, &mut found);
        let found: Vec<_> = found.into_vec().iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn members_are_compared_in_any_order_and_items_in_theirs() {
        let rules = JsonRules::default();
        check(
            &rules,
            json!({"a": 1, "b": [1, 2]}),
            json!({"b": [1, 2], "a": 1.0}),
            &[],
        );
        check(
            &rules,
            json!({"a": 1, "b": [1, 2], "c/d": null}),
            json!({"a": "1", "b": [2], "e": {}}),
            &[
                "body /a: 1 became \"1\"",
                "body /b/0: 1 became 2",
                "body /b/1: 2 became (absent)",
                "body /c~1d: null became (absent)",
                "body /e: (absent) became {}",
            ],
        );
        check(&rules, json!(1), json!([]), &["body: 1 became []"]);
    }

    #[test]
    fn ignored_paths_are_not_looked_at() {
        let pointers = ["/items/*/at", "/a~1b", "/list/1"];
        let rules = JsonRules {
            ignored: pointers
                .map(|pointer| Pattern::parse(pointer).expect("a pointer"))
                .into(),
            ..JsonRules::default()
        };
        check(
            &rules,
            json!({"items": [{"at": 1, "x": 1}], "a/b": 1, "list": [1, 2]}),
            json!({"items": [{"at": 2, "x": 1}, {"at": 3}], "a/b": {}, "list": [1, 3]}),
            &["body /items/1: (absent) became {\"at\":3}"],
        );
        assert_eq!(Pattern::parse("items"), None);
    }

    #[test]
    fn numbers_may_be_apart_by_the_tolerance() {
        let rules = JsonRules {
            tolerance: 0.01,
            ..JsonRules::default()
        };
        check(
            &rules,
            json!([1, 10.0]),
            json!([1.005, 10.02]),
            &["body /1: 10.0 became 10.02"],
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let rules = JsonRules {
            secrets: vec!["token".to_owned()],
            ..JsonRules::default()
        };
        check(
            &rules,
            json!({"accessToken": "hunter2", "b": 1}),
            json!({"accessToken": "hunter3", "b": {"tokens": ["hunter4"]}}),
            &[
                "body /accessToken: … became …",
                "body /b: 1 became {\"tokens\":\"…\"}",
            ],
        );
    }
}
