//! Where in a request a token stands.

use std::borrow::Cow;

use http::{HeaderName, header};
use percent_encoding::percent_decode_str;
use portcullis_core::Head;

use super::fault::TokenFault;

/// The one place in which a token is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Header(HeaderName),
    Query(Box<str>),
}

impl Default for Place {
    fn default() -> Self {
        Self::Header(header::AUTHORIZATION)
    }
}

impl Place {
    /// The token, without `Bearer` before it. With `literal`, only this spelling of it is known.
    pub(crate) fn find<'a>(
        &self,
        head: &Head<'a>,
        literal: bool,
    ) -> Result<Cow<'a, str>, TokenFault> {
        match self {
            Self::Header(name) => {
                let mut values = head.headers().get_all(name).iter();
                let value = values.next().ok_or(TokenFault::Missing)?;
                if values.next().is_some() {
                    return Err(TokenFault::Ambiguous);
                }
                let value = value.to_str().map_err(|_| TokenFault::Malformed)?;
                without_scheme(value, literal).map(Cow::Borrowed)
            }
            Self::Query(name) => {
                let value = only(head.uri().query().unwrap_or_default(), name)?;
                match percent_decode_str(value).decode_utf8() {
                    Ok(Cow::Borrowed(value)) => without_scheme(value, literal).map(Cow::Borrowed),
                    Ok(Cow::Owned(value)) => {
                        without_scheme(&value, literal).map(|token| Cow::Owned(token.to_owned()))
                    }
                    Err(_) => Err(TokenFault::Malformed),
                }
            }
        }
    }
}

/// The value of a parameter that may be there once.
fn only<'a>(query: &'a str, name: &str) -> Result<&'a str, TokenFault> {
    let mut values = query.split('&').filter_map(|pair| {
        let (own, value) = pair.split_once('=').unwrap_or((pair, ""));
        percent_decode_str(own).eq(name.bytes()).then_some(value)
    });
    let value = values.next().ok_or(TokenFault::Missing)?;
    match values.next() {
        Some(_) => Err(TokenFault::Ambiguous),
        None => Ok(value),
    }
}

fn without_scheme(value: &str, literal: bool) -> Result<&str, TokenFault> {
    const SCHEME: &str = "Bearer ";
    let value = value.trim_matches(' ');
    let has_scheme = value
        .get(..SCHEME.len())
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME));
    let token = match has_scheme {
        true if literal && !value.starts_with(SCHEME) => return Err(TokenFault::Scheme),
        true => value[SCHEME.len()..].trim_start_matches(' '),
        false => value,
    };
    if token.is_empty() || value.eq_ignore_ascii_case("bearer") {
        return Err(TokenFault::Missing);
    }
    // All of it is looked at, several octets at once: leaving early would be slower.
    let several = token.bytes().fold(false, |found, byte| {
        found | matches!(byte, b' ' | b',' | b'\t')
    });
    if several {
        // Credentials of another scheme are no token, or several are there.
        return Err(match has_scheme {
            true => TokenFault::Ambiguous,
            false => TokenFault::Missing,
        });
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, Request};
    use portcullis_core::Head;

    use super::{Place, TokenFault};

    #[track_caller]
    fn check(values: &[&str], literal: bool, expected: &Result<&str, TokenFault>) {
        let mut request = Request::get("/");
        for value in values {
            request = request.header("authorization", *value);
        }
        let request = request.body(()).expect("a request");
        let found = Place::default().find(&Head::of(&request), literal);
        assert_eq!(
            &found.as_deref().map_err(Clone::clone),
            expected,
            "{values:?}"
        );
    }

    #[test]
    fn a_token_stands_alone_or_after_its_scheme() {
        check(&["Bearer a.b.c"], false, &Ok("a.b.c"));
        check(&["bearer  a.b.c"], false, &Ok("a.b.c"));
        check(&["a.b.c"], false, &Ok("a.b.c"));
        check(&["Bearer a.b.c"], true, &Ok("a.b.c"));
        check(&["bearer a.b.c"], true, &Err(TokenFault::Scheme));
    }

    #[test]
    fn what_is_no_token_is_missing_or_ambiguous() {
        check(&[], false, &Err(TokenFault::Missing));
        check(&[""], false, &Err(TokenFault::Missing));
        check(&["Bearer"], false, &Err(TokenFault::Missing));
        check(&["Bearer "], false, &Err(TokenFault::Missing));
        check(&["Basic dXNlcjpwYXNz"], false, &Err(TokenFault::Missing));
        check(
            &["AWS4-HMAC-SHA256 Credential=a/b, Signature=c"],
            false,
            &Err(TokenFault::Missing),
        );
        check(
            &["Bearer a.b.c, Bearer d.e.f"],
            false,
            &Err(TokenFault::Ambiguous),
        );
        check(
            &["Bearer a.b.c", "Bearer a.b.c"],
            false,
            &Err(TokenFault::Ambiguous),
        );
        check(&["Bearer \u{e9}"], false, &Err(TokenFault::Malformed));
    }

    #[test]
    fn a_token_may_stand_in_another_header_or_in_the_query() {
        let request = Request::get("/?a=1&tok%65n=x.y%2Ez&b")
            .header("x-token", "a.b.c")
            .body(())
            .expect("a request");
        let head = Head::of(&request);
        let header = Place::Header(HeaderName::from_static("x-token"));
        assert_eq!(header.find(&head, false).as_deref(), Ok("a.b.c"));
        let query = |name: &str| Place::Query(name.into()).find(&head, false);
        assert_eq!(query("token").as_deref(), Ok("x.y.z"));
        assert_eq!(query("Token"), Err(TokenFault::Missing));
        let twice = Request::get("/?t=a&t=b").body(()).expect("a request");
        assert_eq!(
            Place::Query("t".into()).find(&Head::of(&twice), false),
            Err(TokenFault::Ambiguous)
        );
    }
}
