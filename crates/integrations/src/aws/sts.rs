//! Temporary credentials from the Security Token Service.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use portcullis_core::Body;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::client::Wire;
use super::credentials::{Credentials, CredentialsError};
use super::endpoint::Endpoint;
use super::sign::sign;
use crate::body::read_answer;
use crate::uri::push_query_value;

/// How long the service may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers are much smaller.
const MAX_ANSWER: u64 = 64 * 1024;

/// A role that is assumed.
#[derive(Clone, Debug)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) session_name: String,
    pub(super) external_id: Option<String>,
}

impl Role {
    pub(super) fn new(arn: impl Into<String>) -> Self {
        Self {
            arn: arn.into(),
            session_name: "portcullis".to_owned(),
            external_id: None,
        }
    }
}

/// Assumes a role with credentials of one's own.
pub(super) async fn assume_role(
    wire: &Wire,
    role: &Role,
    own: &Credentials,
) -> Result<Credentials, CredentialsError> {
    let mut form = form("AssumeRole", role);
    if let Some(external_id) = &role.external_id {
        push(&mut form, "ExternalId", external_id);
    }
    call(wire, form, Some(own)).await
}

/// Assumes a role with a token of an identity provider.
pub(super) async fn assume_role_with_web_identity(
    wire: &Wire,
    role: &Role,
    token: &str,
) -> Result<Credentials, CredentialsError> {
    let mut form = form("AssumeRoleWithWebIdentity", role);
    push(&mut form, "WebIdentityToken", token.trim());
    call(wire, form, None).await
}

fn form(action: &str, role: &Role) -> String {
    let mut form = format!("Action={action}&Version=2011-06-15");
    push(&mut form, "RoleArn", &role.arn);
    push(&mut form, "RoleSessionName", &role.session_name);
    form
}

fn push(form: &mut String, name: &str, value: &str) {
    form.push('&');
    form.push_str(name);
    form.push('=');
    push_query_value(form, value.as_bytes());
}

async fn call(
    wire: &Wire,
    form: String,
    own: Option<&Credentials>,
) -> Result<Credentials, CredentialsError> {
    let failed = |what: &str| CredentialsError::new(format!("the Security Token Service {what}"));
    let endpoint = Endpoint::new("sts", &wire.region);
    let uri = wire.uri(&endpoint, "/");
    let mut request = Request::new(Bytes::from(form));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.map_err(|error| failed("has no address").with_source(error))?;
    let content_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(CONTENT_TYPE, content_type);
    if let Some(own) = own {
        sign(&mut request, &endpoint, own, wire.clock.wall())
            .map_err(|error| failed("cannot be asked").with_source(error))?;
    }
    let exchange = async {
        let response = wire.client.send(request.map(Body::from)).await;
        let response = response.map_err(|error| failed("does not answer").with_source(error))?;
        let (parts, body) = response.into_parts();
        let body = read_answer(Body::new(body), Some(MAX_ANSWER))
            .await
            .map_err(|failure| failed("broke off").with_source(format!("{failure:?}")))?;
        let answer = Answer::read(&body);
        if !parts.status.is_success() {
            let code = answer.code.unwrap_or_default();
            let status = parts.status.as_u16();
            return Err(failed(&format!("refused: {status} {code}")));
        }
        answer
            .credentials()
            .ok_or_else(|| failed("gave no credentials"))
    };
    match tokio::time::timeout(PATIENCE, exchange).await {
        Ok(outcome) => outcome,
        Err(_) => Err(failed("does not answer in time")),
    }
}

/// What of an answer is read.
#[derive(Default)]
struct Answer {
    id: Option<String>,
    secret: Option<String>,
    token: Option<String>,
    expiration: Option<String>,
    /// Of a refusal.
    code: Option<String>,
}

impl Answer {
    /// Finds the elements by their names, wherever they are. What is no XML has none.
    fn read(text: &[u8]) -> Self {
        let mut answer = Self::default();
        let Ok(text) = str::from_utf8(text) else {
            return answer;
        };
        let mut reader = Reader::from_str(text);
        let mut inside = String::new();
        loop {
            match reader.read_event() {
                Ok(Event::Start(start)) => {
                    inside = start.local_name().as_ref().to_owned();
                }
                Ok(Event::End(_)) => inside.clear(),
                Ok(Event::Text(text)) => {
                    let field = match &*inside {
                        "AccessKeyId" => &mut answer.id,
                        "SecretAccessKey" => &mut answer.secret,
                        "SessionToken" => &mut answer.token,
                        "Expiration" => &mut answer.expiration,
                        "Code" => &mut answer.code,
                        _ => continue,
                    };
                    *field = Some(text.trim().to_owned());
                }
                Ok(Event::Eof) | Err(_) => return answer,
                Ok(_) => {}
            }
        }
    }

    fn credentials(self) -> Option<Credentials> {
        let expires: jiff::Timestamp = self.expiration?.parse().ok()?;
        let credentials = Credentials::new(self.id?, self.secret?).with_session_token(self.token?);
        let since_epoch = Duration::from_secs(u64::try_from(expires.as_second()).ok()?);
        Some(credentials.with_expiry(SystemTime::UNIX_EPOCH + since_epoch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read() {
        let answer = Answer::read(
            b"<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>
              <Credentials><SessionToken>a+b/c==</SessionToken><Expiration>2030-01-02T03:04:05Z</Expiration>
              <AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s/1</SecretAccessKey></Credentials>
              </AssumeRoleResult></AssumeRoleResponse>",
        );
        let credentials = answer.credentials().expect("all is there");
        assert_eq!(credentials.access_key_id(), "ASIA1");
        assert_eq!(credentials.secret_access_key(), "s/1");
        assert_eq!(credentials.session_token(), Some("a+b/c=="));
        let expires = credentials.expires().expect("it ends");
        let seconds = expires.duration_since(SystemTime::UNIX_EPOCH);
        assert_eq!(seconds.expect("later").as_secs(), 1_893_553_445);
    }

    #[test]
    fn a_refusal_says_why_and_nonsense_says_nothing() {
        let answer = Answer::read(
            b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>",
        );
        assert_eq!(answer.code.as_deref(), Some("AccessDenied"));
        assert!(answer.credentials().is_none());
        for text in [&b"<a"[..], b"", b"\xff\xfe", b"<a></b>"] {
            assert!(Answer::read(text).credentials().is_none());
        }
    }
}
