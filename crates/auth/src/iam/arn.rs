//! ARNs and the patterns that match them part by part.

use super::keys::ContextKeys;
use super::pattern::{Match, Pattern, Syntax};

/// `arn:partition:service:region:account:resource`: the sixth part keeps its own colons.
pub(super) fn parts(text: &str) -> Option<[&str; 6]> {
    let mut parts = text.splitn(6, ':');
    let found = [
        parts.next()?,
        parts.next()?,
        parts.next()?,
        parts.next()?,
        parts.next()?,
        parts.next()?,
    ];
    (found[0] == "arn").then_some(found)
}

/// A pattern over ARNs. A wildcard stays within its part.
#[derive(Debug)]
pub(super) enum ArnPattern {
    /// `*`
    Any,
    /// Only the last part has wildcards or variables, or nothing has: then the whole text can be compared at once.
    Whole(Pattern),
    Parts(Box<[Pattern; 6]>),
}

impl ArnPattern {
    /// Compiles `text`.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn compile(text: &str, variables: bool) -> Result<Self, String> {
        let syntax = Syntax {
            wildcards: true,
            variables,
        };
        if !text.is_empty() && text.bytes().all(|byte| byte == b'*') {
            return Ok(Self::Any);
        }
        let parts = pattern_parts(text, variables);
        if parts.len() < 6 {
            // One variable for all of it: `${aws:PrincipalArn}`.
            if variables && text.contains("${") && !text.contains(['*', '?']) {
                return Pattern::compile(text, syntax).map(Self::Whole);
            }
            return Err(format!(
                "`{text}` is no ARN: it has {} of the six parts `arn:partition:service:region:account:resource`",
                parts.len()
            ));
        }
        let special = |part: &&str| part.contains(['*', '?']) || (variables && part.contains("${"));
        if !parts[..5].iter().any(special) {
            return Pattern::compile(text, syntax).map(Self::Whole);
        }
        let mut patterns = Vec::with_capacity(6);
        for part in parts {
            patterns.push(Pattern::compile(part, syntax)?);
        }
        let patterns: Box<[Pattern; 6]> = patterns
            .try_into()
            .map_err(|_| format!("`{text}` is no ARN"))?;
        Ok(Self::Parts(patterns))
    }

    /// Compares an ARN, given whole and in its parts, with the pattern.
    pub(super) fn matches(
        &self,
        text: &str,
        parts: Option<&[&str; 6]>,
        keys: &dyn ContextKeys,
    ) -> Match {
        match self {
            Self::Any => Match::Yes,
            Self::Whole(pattern) => pattern.matches(text, keys),
            Self::Parts(patterns) => {
                let Some(parts) = parts else {
                    return Match::No;
                };
                for (pattern, part) in patterns.iter().zip(parts) {
                    let matched = pattern.matches(part, keys);
                    if matched != Match::Yes {
                        return matched;
                    }
                }
                Match::Yes
            }
        }
    }
}

/// The parts of a pattern; colons within `${…}` do not count.
fn pattern_parts(text: &str, variables: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut within) = (0, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'{' if variables && text[..index].ends_with('$') => within = true,
            b'}' => within = false,
            b':' if !within && parts.len() < 5 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The pattern of a `Resource` or `NotResource`.
#[derive(Debug)]
pub(super) struct ResourcePattern(ArnPattern);

impl ResourcePattern {
    /// Compiles `text`. Fewer parts than six that end in `*` mean that whatever follows matches, too.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn compile(text: &str, variables: bool) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("execute-api:/") {
            // The short form of API Gateway's resource policies, which belong to one API.
            return ArnPattern::compile(&format!("arn:*:execute-api:*:*:*/{path}"), variables)
                .map(Self);
        }
        let parts = pattern_parts(text, variables);
        if variables && parts.iter().take(5).any(|part| part.contains("${")) {
            return Err(format!(
                "`{text}` has a variable before its fifth colon, where none may stand"
            ));
        }
        if (2..6).contains(&parts.len()) && text.ends_with('*') && parts[0] == "arn" {
            let padded = text.to_owned() + &":*".repeat(6 - parts.len());
            return ArnPattern::compile(&padded, variables).map(Self);
        }
        ArnPattern::compile(text, variables).map(Self)
    }

    pub(super) fn matches(
        &self,
        text: &str,
        parts: Option<&[&str; 6]>,
        keys: &dyn ContextKeys,
    ) -> Match {
        self.0.matches(text, parts, keys)
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::ContextEntries;
    use super::*;

    const ARN: &str = "arn:aws:execute-api:eu-west-1:123456789012:a1b2/prod/GET/pets/a:b";

    #[track_caller]
    fn check(pattern: &str, expected: bool) {
        let keys = ContextEntries::new().with("aws:username", "pets");
        let pattern = ResourcePattern::compile(pattern, true).unwrap();
        let matched = pattern.matches(ARN, parts(ARN).as_ref(), &keys) == Match::Yes;
        assert_eq!(matched, expected, "{pattern:?}");
    }

    #[test]
    fn a_wildcard_stays_within_its_part() {
        check("*", true);
        check("arn:aws:execute-api:*:*:*", true);
        check("arn:aws:execute-api:eu-west-1:123456789012:*/GET/*", true);
        check("arn:*:execute-api:*:1234*:a1b2/prod/*", true);
        check("arn:aws:execute-api:*:a1b2/prod/*", false);
        check("arn:aws:execute-api:*:*:b2/prod/*", false);
        check("arn:aws:execute-api:*", true);
        check("arn:aws:s3:*", false);
        check("execute-api:/prod/GET/*", true);
        check("execute-api:/dev/*", false);
        check(
            "arn:aws:execute-api:*:123456789012:*/GET/${aws:username}/a:b",
            true,
        );
    }

    #[test]
    fn what_is_no_arn_is_an_error() {
        for text in ["", "pets", "arn:aws:execute-api", "arn:aws:s3:::${aws:x"] {
            assert!(ResourcePattern::compile(text, true).is_err(), "{text}");
        }
        assert!(ResourcePattern::compile("arn:aws:s3:${aws:region}::x", true).is_err());
    }
}
