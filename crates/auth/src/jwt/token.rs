//! A token taken apart: pure functions over text that nobody believes yet.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::algorithm::Algorithm;
use super::fault::TokenFault;

/// A token's three parts, decoded but for the claims.
#[derive(Debug)]
pub(crate) struct Token<'a> {
    pub(crate) header: Header,
    /// What is signed: header and claims as they came.
    pub(crate) message: &'a [u8],
    pub(crate) signature: Octets<72>,
    /// The claims: JSON, as far as anybody knows.
    pub(crate) claims: Box<str>,
}

/// What of a header is looked at. Keys in it, and addresses of keys, are not (RFC 8725, 3.5).
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: Option<Box<str>>,
    pub(crate) r#type: Option<Cow<'static, str>>,
}

/// What a part decodes to; up to so many octets stand in place.
#[derive(Debug)]
pub(crate) enum Octets<const N: usize> {
    Short([u8; N], usize),
    Long(Vec<u8>),
}

impl<const N: usize> Octets<N> {
    fn decode(part: &str) -> Result<Self, TokenFault> {
        if decoded_length(part) > N {
            return decode(part).map(Self::Long);
        }
        let mut octets = [0; N];
        let length = URL_SAFE_NO_PAD
            .decode_slice(part, &mut octets)
            .map_err(|_| TokenFault::Malformed)?;
        Ok(Self::Short(octets, length))
    }
}

impl<const N: usize> Deref for Octets<N> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Short(octets, length) => &octets[..*length],
            Self::Long(octets) => octets,
        }
    }
}

/// The claims that are checked, and what cannot be told from them.
#[derive(Debug, Default)]
pub(crate) struct Registered<'a> {
    pub(crate) issuer: Option<Cow<'a, str>>,
    pub(crate) audience: Audience<'a>,
    pub(crate) client_id: Loose<'a>,
    pub(crate) token_use: Loose<'a>,
    pub(crate) expires: Option<f64>,
    pub(crate) not_before: Option<f64>,
    pub(crate) issued: Option<f64>,
    pub(crate) scopes: Vec<Box<str>>,
}

/// `aud`
#[derive(Debug, Default)]
pub(crate) enum Audience<'a> {
    #[default]
    Absent,
    One(Cow<'a, str>),
    Many(Vec<Cow<'a, str>>),
}

/// A claim that counts only if it is text.
#[derive(Debug, Default)]
pub(crate) enum Loose<'a> {
    #[default]
    Absent,
    Text(Cow<'a, str>),
    Other,
}

impl Loose<'_> {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Absent | Self::Other => None,
        }
    }
}

/// Arrays and objects within each other that claims may have at most.
const MAX_DEPTH: usize = 16;

impl<'a> Token<'a> {
    pub(crate) fn parse(text: &'a str, max_bytes: usize) -> Result<Self, TokenFault> {
        if text.len() > max_bytes {
            return Err(TokenFault::TooLarge);
        }
        let mut parts = text.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenFault::Segments);
        };
        let header = Header::parse(&Octets::<192>::decode(header)?)?;
        let signature = Octets::decode(signature)?;
        let message = text.rsplit_once('.').map_or("", |(message, _)| message);
        let claims = String::from_utf8(decode(claims)?).map_err(|_| TokenFault::Malformed)?;
        Ok(Self {
            header,
            message: message.as_bytes(),
            signature,
            claims: claims.into(),
        })
    }
}

/// Neither padding nor a second spelling of the same octets is taken.
fn decode(part: &str) -> Result<Vec<u8>, TokenFault> {
    let mut out = vec![0; decoded_length(part)];
    let length = URL_SAFE_NO_PAD
        .decode_slice(part, &mut out)
        .map_err(|_| TokenFault::Malformed)?;
    out.truncate(length);
    Ok(out)
}

/// Four letters are three octets, and two or three at the end are one or two.
const fn decoded_length(part: &str) -> usize {
    part.len() / 4 * 3 + (part.len() % 4).saturating_sub(1)
}

impl Header {
    fn parse(json: &[u8]) -> Result<Self, TokenFault> {
        /// A member that is there twice is an error of the derived code.
        #[derive(serde::Deserialize)]
        struct Members<'a> {
            #[serde(borrow)]
            alg: Option<Text<'a>>,
            #[serde(borrow)]
            kid: Option<Text<'a>>,
            #[serde(borrow)]
            typ: Option<Text<'a>>,
            #[serde(default, deserialize_with = "present")]
            crit: bool,
        }
        fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
            IgnoredAny::deserialize(deserializer).map(|_| true)
        }
        let members: Members<'_> =
            serde_json::from_slice(json).map_err(|_| TokenFault::Malformed)?;
        let name = members.alg.ok_or(TokenFault::Malformed)?.0;
        let algorithm =
            Algorithm::parse(&name).ok_or_else(|| TokenFault::Algorithm(name.into()))?;
        if members.crit {
            return Err(TokenFault::Critical);
        }
        let r#type = members.typ.map(|text| match &*text.0 {
            // As most have it.
            "JWT" => Cow::Borrowed("JWT"),
            _ => Cow::Owned(text.0.into_owned()),
        });
        Ok(Self {
            algorithm,
            key_id: members.kid.map(|text| text.0.into()),
            r#type,
        })
    }
}

impl<'a> Registered<'a> {
    /// Reads claims: one JSON object in which nothing is named twice (RFC 7519, 4).
    pub(crate) fn parse(json: &'a str) -> Result<Self, TokenFault> {
        let mut reader = serde_json::Deserializer::from_str(json);
        let claims = reader
            .deserialize_map(ClaimsVisitor)
            .map_err(|_| TokenFault::Malformed)?;
        reader.end().map_err(|_| TokenFault::Malformed)?;
        Ok(claims)
    }
}

struct ClaimsVisitor;

impl<'de> Visitor<'de> for ClaimsVisitor {
    type Value = Registered<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("claims")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut claims = Registered::default();
        let twice = || Err(de::Error::custom("a claim is there twice"));
        // A bit for each of those that are looked at; the names of the others.
        let mut seen = 0_u16;
        let mut others: Vec<Cow<'de, str>> = Vec::new();
        while let Some(Text(name)) = map.next_key()? {
            let bit = match &*name {
                "iss" => {
                    claims.issuer = Some(map.next_value::<Text<'de>>()?.0);
                    1
                }
                "aud" => {
                    claims.audience = map.next_value()?;
                    1 << 1
                }
                "client_id" => {
                    claims.client_id = map.next_value()?;
                    1 << 2
                }
                "token_use" => {
                    claims.token_use = map.next_value()?;
                    1 << 3
                }
                "exp" => {
                    claims.expires = Some(map.next_value()?);
                    1 << 4
                }
                "nbf" => {
                    claims.not_before = Some(map.next_value()?);
                    1 << 5
                }
                "iat" => {
                    claims.issued = Some(map.next_value()?);
                    1 << 6
                }
                "scope" => {
                    if let Loose::Text(scopes) = map.next_value()? {
                        let blanks = scopes.bytes().filter(|byte| *byte == b' ').count();
                        claims.scopes.reserve_exact(blanks + 1);
                        claims.scopes.extend(words(&scopes));
                    }
                    1 << 7
                }
                "scp" => {
                    claims.scopes.extend(map.next_value::<Scopes>()?.0);
                    1 << 8
                }
                _ => {
                    map.next_value_seed(Skip(MAX_DEPTH))?;
                    others.push(name);
                    continue;
                }
            };
            if seen & bit != 0 {
                return twice();
            }
            seen |= bit;
        }
        others.sort_unstable();
        if others.windows(2).any(|pair| pair[0] == pair[1]) {
            return twice();
        }
        Ok(claims)
    }
}

fn words(text: &str) -> impl Iterator<Item = Box<str>> {
    text.split(' ')
        .filter(|word| !word.is_empty())
        .map(Into::into)
}

/// Text, borrowed where it stands in JSON as it is.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Audience<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AudienceVisitor;

        impl<'de> Visitor<'de> for AudienceVisitor {
            type Value = Audience<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an audience or a list of them")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Audience::One(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Audience::One(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(Text(one)) = seq.next_element()? {
                    all.push(one);
                }
                Ok(Audience::Many(all))
            }
        }

        deserializer.deserialize_any(AudienceVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

/// Takes text and skips everything else.
struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Loose::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Loose::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Loose::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Loose::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Loose::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Loose::Other)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Loose::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        Skip(MAX_DEPTH).visit_seq(seq).map(|()| Loose::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Skip(MAX_DEPTH).visit_map(map).map(|()| Loose::Other)
    }
}

/// `scp`: text with blanks, or a list. What is neither grants nothing.
struct Scopes(Vec<Box<str>>);

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(Self(match &value {
            serde_json::Value::String(text) => words(text).collect(),
            serde_json::Value::Array(list) => list
                .iter()
                .filter_map(|scope| scope.as_str())
                .map(Into::into)
                .collect(),
            _ => Vec::new(),
        }))
    }
}

/// Reads over a value that nests no deeper than this.
struct Skip(usize);

impl Skip {
    fn deeper<E: de::Error>(&self) -> Result<Self, E> {
        self.0
            .checked_sub(1)
            .map(Self)
            .ok_or_else(|| E::custom("nested too deeply"))
    }
}

impl<'de> DeserializeSeed<'de> for Skip {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skip {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?;
        while seq.next_element_seed(Self(deeper.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?;
        while map.next_key::<IgnoredAny>()?.is_some() {
            map.next_value_seed(Self(deeper.0))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::{Registered, Token, TokenFault};

    fn token(header: &str, claims: &str) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!(
            "{}.{}.{}",
            encode(header),
            encode(claims),
            encode("signature")
        )
    }

    #[track_caller]
    fn check_header(header: &str, expected: &Result<(), TokenFault>) {
        let found = Token::parse(&token(header, "{}"), 4096).map(|_| ());
        assert_eq!(&found, expected, "{header}");
    }

    #[track_caller]
    fn check_claims(claims: &str, expected: bool) {
        assert_eq!(Registered::parse(claims).is_ok(), expected, "{claims}");
    }

    #[test]
    fn the_message_is_everything_before_the_signature() {
        let text = token(r#"{"alg":"RS256","kid":"k"}"#, r#"{"a":1}"#);
        let token = Token::parse(&text, 4096).expect("a token");
        assert_eq!(token.message, &text.as_bytes()[..text.rfind('.').unwrap()]);
        assert_eq!(&*token.signature, b"signature");
        assert_eq!(&*token.claims, r#"{"a":1}"#);
        assert_eq!(token.header.key_id.as_deref(), Some("k"));
    }

    #[test]
    fn parts_of_any_length_are_decoded() {
        for length in 0..600 {
            let octets: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
            let header = format!(r#"{{"alg":"RS256","x":"{}"}}"#, "y".repeat(length));
            let text = token(&header, r#"{"a":1}"#);
            let (message, _) = text.rsplit_once('.').expect("three parts");
            let text = format!("{message}.{}", URL_SAFE_NO_PAD.encode(&octets));
            let token = Token::parse(&text, 4096).expect("a token");
            assert_eq!(&*token.signature, octets, "{length}");
        }
    }

    #[test]
    fn headers_are_read_strictly() {
        check_header(r#"{"alg":"RS256","x":{"y":[1]},"jwk":5}"#, &Ok(()));
        check_header(r#"{"kid":"k"}"#, &Err(TokenFault::Malformed));
        check_header(
            r#"{"alg":"RS256","alg":"none"}"#,
            &Err(TokenFault::Malformed),
        );
        check_header(
            r#"{"alg":"RS256","kid":["k"]}"#,
            &Err(TokenFault::Malformed),
        );
        check_header(
            r#"{"alg":"RS256","crit":"exp"}"#,
            &Err(TokenFault::Critical),
        );
        check_header(r#"{"alg":"RS256","crit":null}"#, &Err(TokenFault::Critical));
        check_header(
            r#"{"alg":"none"}"#,
            &Err(TokenFault::Algorithm("none".into())),
        );
        check_header("", &Err(TokenFault::Malformed));
        check_header("[]", &Err(TokenFault::Malformed));
        check_header(r#"{"alg":"RS256"} x"#, &Err(TokenFault::Malformed));
    }

    #[test]
    fn there_are_three_parts_and_no_second_spelling() {
        for text in ["", "a", "a.b", "a.b.c.d", "....."] {
            assert!(
                matches!(Token::parse(text, 4096), Err(TokenFault::Segments)),
                "{text}"
            );
        }
        let good = token(r#"{"alg":"RS256"}"#, "{}");
        for text in [
            format!("{good}="),
            format!("{good}\u{e9}"),
            good.replacen('e', "+", 1),
        ] {
            assert!(Token::parse(&text, 4096).is_err(), "{text}");
        }
        assert!(matches!(Token::parse(&good, 10), Err(TokenFault::TooLarge)));
    }

    #[test]
    fn claims_are_one_object_in_which_nothing_is_there_twice() {
        check_claims(r#"{"exp":1,"x":{"a":1,"b":[true,null,"s",1.5]}}"#, true);
        check_claims(r#"{"exp":1,"exp":2}"#, false);
        check_claims(r#"{"x":1,"x":1}"#, false);
        check_claims(r#"{"x":1,"\u0078":1}"#, false);
        for wrong in ["null", "[]", "1", "\"a\"", "", "{", "{} {}", r#"{"a"}"#] {
            check_claims(wrong, false);
        }
    }

    #[test]
    fn claims_that_are_checked_have_the_type_that_they_must() {
        check_claims(r#"{"exp":"1"}"#, false);
        check_claims(r#"{"exp":null}"#, false);
        check_claims(r#"{"exp":1e400}"#, false);
        check_claims(r#"{"nbf":{"a":1}}"#, false);
        check_claims(r#"{"iss":1}"#, false);
        check_claims(r#"{"aud":["a",1]}"#, false);
        check_claims(r#"{"aud":null}"#, false);
        check_claims(r#"{"client_id":["a"],"scope":1,"scp":{"a":1}}"#, true);
    }

    #[test]
    fn nesting_has_an_end() {
        let nested =
            |depth: usize| format!(r#"{{"x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        check_claims(&nested(16), true);
        check_claims(&nested(17), false);
        check_claims(&nested(5000), false);
        let client = nested(100).replace('x', "client_id");
        check_claims(&client, false);
        let scopes = nested(5000).replace('x', "scp");
        check_claims(&scopes, false);
    }

    #[test]
    fn scopes_are_in_one_text_or_in_a_list() {
        let scopes = |json: &str| Registered::parse(json).expect("claims").scopes.join("|");
        assert_eq!(scopes(r#"{"scope":"a  b/c "}"#), "a|b/c");
        assert_eq!(scopes(r#"{"scp":"a b"}"#), "a|b");
        assert_eq!(scopes(r#"{"scp":["a","b c",1]}"#), "a|b c");
        assert_eq!(scopes(r#"{"scope":"a","scp":["b"]}"#), "a|b");
        assert_eq!(scopes(r#"{"scope":["a"]}"#), "");
    }
}
